/**
 * A simulated SQLite database: the real one in memory, over a file that knows which commits a loss
 * of power may take. As in WAL mode: a commit at synchronous=FULL that wrote something is durable,
 * and all commits before it with it; one at NORMAL is not, until such a commit, a checkpoint or an
 * orderly close; a crash keeps a prefix of the commits.
 */
import { type Changes, Database, type SQLQueryBindings } from "bun:sqlite";
import type { SimDatabaseFile } from "./database_file.ts";
import { kindOf } from "./sql_kind.ts";

/** How many states after the last sync a crash chooses from. */
const LATER_MAX = 6;
const PAGE_BYTES = 4096;
/** A log that has anything is told to be this long. */
const LOG_BYTES = PAGE_BYTES;
const PAGES_MAX = 2 ** 32 - 2;

/** What a database needs to know of its disk. */
export interface DatabaseHost {
  /** Will the next sync fail? Taking that failure makes the one after it work. */
  willSyncFail(): boolean;
  takeSyncFailure(): boolean;
  /** Bytes it may still grow by; null where there is no limit worth a look. */
  freeBytes(): number | null;
  /** Its content is durable, so its name is too. */
  synced(): void;
}

/** An error as bun:sqlite throws it. */
function sqliteError(code: string, errno: number, message: string): Error {
  return Object.assign(new Error(message), { name: "SQLiteError", code, errno, byteOffset: -1 });
}

export const databaseLocked = (): Error => sqliteError("SQLITE_BUSY", 5, "database is locked");

export class SimDatabase extends Database {
  /** null once the process that had it open is gone. */
  #file: SimDatabaseFile | null;
  readonly #host: DatabaseHost;
  #full = true;
  /**
   * Are there commits that no sync covers? Only then is the file's image what the last sync left.
   */
  #dirty: boolean;
  #captured = false;
  #limited = false;
  #changesBefore = 0;
  /** null while the transaction contains no statement that may change more than rows. */
  #schemaBefore: number | null = null;
  readonly #watched = new WeakSet<object>();

  constructor(file: SimDatabaseFile, host: DatabaseHost) {
    // The constructor takes an image where it takes a path; Database.deserialize rests on it, but
    // cannot subclass.
    super((file.latest ?? ":memory:") as string, { strict: true });
    this.#file = file;
    this.#host = host;
    this.#dirty = file.later.length > 0;
    file.opened = this;
  }

  get bytes(): number {
    return this.#number("page_count * page_size", "pragma_page_count, pragma_page_size");
  }

  override run<P extends SQLQueryBindings[]>(sql: string, ...bindings: P[]): Changes {
    return this.#tracked(sql, () => super.run(sql, ...bindings));
  }

  override exec<P extends SQLQueryBindings[]>(sql: string, ...bindings: P[]): Changes {
    return this.run(sql, ...bindings);
  }

  override query<Row, P extends SQLQueryBindings | SQLQueryBindings[]>(sql: string) {
    return this.#watch(sql, super.query<Row, P>(said(sql)));
  }

  override prepare<Row, P extends SQLQueryBindings | SQLQueryBindings[]>(sql: string, params?: P) {
    return this.#watch(sql, super.prepare<Row, P>(said(sql), params));
  }

  override transaction(): never {
    throw new Error('bug: SimDatabase sees only what run("BEGIN IMMEDIATE") and run("COMMIT") say');
  }

  /** An orderly close checkpoints: all is durable then. */
  override close(throwOnError?: boolean): void {
    const file = this.#leave();
    if (file) {
      file.image = file.latest;
      file.later = [];
      this.#host.synced();
    }
    super.close(throwOnError);
  }

  /**
   * The process died: the file is left as it is, and what this object is still asked to do leads
   * nowhere.
   */
  abandon(): void {
    this.#leave();
  }

  /**
   * Frees the memory of an abandoned database; in a later turn, for the dead may still be running
   * in this one.
   */
  dispose(): void {
    super.close();
  }

  #leave(): SimDatabaseFile | null {
    const file = this.#file;
    if (!file) return null;
    if (this.inTransaction) super.run("ROLLBACK");
    const state = this.#state();
    if (this.#dirty && state) file.later.push(state);
    else file.image = state;
    if (!this.#dirty) file.later = [];
    file.opened = null;
    this.#file = null;
    return file;
  }

  #state(): Uint8Array | null {
    const image = this.serialize();
    return image.length > 0 ? image : null;
  }

  #watch<S extends object>(sql: string, statement: S): S {
    if (kindOf(sql) === "read" || this.#watched.has(statement)) return statement;
    this.#watched.add(statement);
    const methods = statement as Record<string, (...args: unknown[]) => unknown>;
    for (const name of ["run", "get", "all", "values"]) {
      const plain = methods[name];
      if (plain)
        methods[name] = (...args) => this.#tracked(sql, () => plain.apply(statement, args));
    }
    return statement;
  }

  #tracked<T>(sql: string, act: () => T): T {
    const kind = kindOf(sql);
    if (kind === "read" || !this.#file) return act();
    if (kind === "pragma") return this.#pragma(sql, act);
    if (!this.inTransaction) this.#begin();
    if (kind === "schema" || kind === "script") this.#schemaMayChange();
    const result = act();
    if (!this.inTransaction && kind !== "rollback") this.#commit();
    if (kind === "script") this.#setMode(sql);
    return result;
  }

  #pragma<T>(sql: string, act: () => T): T {
    const sets = /\b(user_version|application_id)\s*=/i.test(sql);
    if (sets && !this.inTransaction) this.#begin();
    if (sets) this.#schemaMayChange();
    const result = act();
    if (sets && !this.inTransaction) this.#commit();
    this.#setMode(sql);
    if (/\bwal_checkpoint\b/i.test(sql)) this.#checkpoint(/TRUNCATE/i.test(sql));
    return result;
  }

  #checkpoint(cuts: boolean): void {
    if (this.#dirty) this.#sync();
    const file = this.#file as SimDatabaseFile;
    file.checkpointed = this.#state();
    if (cuts) file.logBytes = 0;
  }

  #setMode(sql: string): void {
    const mode = /\bsynchronous\s*=\s*['"]?(\w+)/i.exec(sql)?.[1]?.toUpperCase();
    if (mode) this.#full = ["FULL", "EXTRA", "2", "3"].includes(mode);
  }

  /**
   * A transaction is about to start: keeps the state that a crash may fall back to, if its commit
   * may be lost.
   */
  #begin(): void {
    const file = this.#file as SimDatabaseFile;
    // At FULL nothing can be lost but by a sync that fails.
    this.#captured = !this.#full || this.#host.willSyncFail();
    if (this.#captured) {
      const state = this.#state();
      if (!this.#dirty) {
        file.image = state;
        file.later = [];
      } else if (state && file.later.length < LATER_MAX) {
        file.later.push(state);
      }
    }
    this.#schemaBefore = null;
    this.#changesBefore = this.#number("total_changes()");
    this.#limit(this.#host.freeBytes());
  }

  /** Lets the database grow by so much and no more. */
  #limit(freeBytes: number | null): void {
    if (freeBytes === null && !this.#limited) return;
    this.#limited = freeBytes !== null;
    const pages =
      freeBytes === null ? PAGES_MAX : Math.floor((this.bytes + freeBytes) / PAGE_BYTES);
    super.run(`PRAGMA max_page_count=${Math.max(1, pages)}`);
  }

  /** Notes what there was, unless the commit will sync in any case: then it need not be known. */
  #schemaMayChange(): void {
    const matters = this.#dirty || this.#captured;
    this.#schemaBefore ??= matters ? this.#schemaMark() : Number.NaN;
  }

  /** Differs after every change of the schema, and of the two numbers that a user may keep. */
  #schemaMark(): number {
    const mark = "(schema_version * 65537 + user_version) * 65537 + application_id";
    return this.#number(mark, "pragma_schema_version, pragma_user_version, pragma_application_id");
  }

  #number(expression: string, from = "(SELECT 1)"): number {
    const query = super.query<{ n: number }, []>(`SELECT ${expression} AS n FROM ${from}`);
    return query.get()?.n ?? 0;
  }

  /** A transaction has ended well. One that wrote nothing syncs nothing, whatever its mode. */
  #commit(): void {
    const rows = this.#number("total_changes()") !== this.#changesBefore;
    const before = this.#schemaBefore;
    const schema = before !== null && (Number.isNaN(before) || before !== this.#schemaMark());
    if (!rows && !schema) return;
    (this.#file as SimDatabaseFile).logBytes ||= LOG_BYTES;
    if (!this.#full) this.#dirty = true;
    else this.#sync();
  }

  #sync(): void {
    const file = this.#file as SimDatabaseFile;
    if ((this.#captured || this.#dirty) && this.#host.takeSyncFailure()) {
      this.#dirty = true;
      throw sqliteError("SQLITE_IOERR_FSYNC", 1034, "disk I/O error");
    }
    this.#dirty = false;
    file.later = [];
    this.#host.synced();
  }
}

/** A database in memory has no write-ahead log; it says it has one, as the real one would. */
const said = (sql: string): string =>
  /\bjournal_mode\b/i.test(sql) ? "SELECT 'wal' AS journal_mode" : sql;
