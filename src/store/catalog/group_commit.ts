/** Group commit: all changes that wait go into one transaction, and none is answered before that is durable. */
import type { Database } from "bun:sqlite";
import { asDfsError, DfsError, isDfsError } from "../../errors.ts";
import type { Clock } from "../../io/ports.ts";

interface Job {
  readonly durable: boolean;
  /** Does the work; what it returns tells the one who waits, once the transaction stands. */
  readonly run: () => () => void;
  readonly fail: (error: DfsError) => void;
}

export const PULSE_SCHEMA =
  "CREATE TABLE IF NOT EXISTS pulse (id INTEGER PRIMARY KEY, beats INTEGER NOT NULL)";

export class GroupCommit {
  readonly #db: Database;
  readonly #pulse;
  readonly #clock: Clock;
  readonly #undone: () => void;
  readonly #die: (error: DfsError) => void;
  #jobs: Job[] = [];
  /** Are there changes that no sync covers yet? */
  #isAtRisk = true;
  /** Does a transaction sync the log, as things are set? */
  #syncs: boolean | null = null;
  #isOver = false;
  /** Was the log begun anew since something was written? */
  #isTidy = false;
  /** Makes room on a full disk; false where it can't. */
  relief: () => Promise<boolean> = () => Promise.resolve(false);

  /** `undone` is called after a transaction was undone; `die` after an error that leaves open what is durable. */
  constructor(db: Database, clock: Clock, undone: () => void, die: (error: DfsError) => void) {
    this.#db = db;
    db.run(PULSE_SCHEMA);
    this.#pulse = db.query(
      "INSERT INTO pulse VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET beats = beats + 1",
    );
    this.#clock = clock;
    this.#undone = undone;
    this.#die = die;
  }

  /**
   * Runs `work` in the next transaction and resolves to its result once that is durable (`durable` false: once it is
   * done; a crash may undo it). `work` must throw, if at all, a DfsError and before it changes anything.
   */
  write<T>(durable: boolean, work: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const run = (): (() => void) => {
        try {
          const value = work();
          return () => resolve(value);
        } catch (error) {
          if (!isDfsError(error)) throw error;
          return () => reject(error);
        }
      };
      this.#jobs.push({ durable, run, fail: reject });
      // In a later turn: what came in together is committed together.
      if (this.#jobs.length === 1) this.#clock.after(0, () => this.#flush());
    });
  }

  #flush(): void {
    const jobs = this.#jobs;
    this.#jobs = [];
    if (this.#isOver) return;
    const done: (() => void)[] = [];
    try {
      const durable = jobs.some((job) => job.durable);
      if (durable !== this.#syncs)
        this.#db.run(`PRAGMA synchronous=${durable ? "FULL" : "NORMAL"}`);
      this.#syncs = durable;
      this.#db.run("BEGIN IMMEDIATE");
      for (const job of jobs) done.push(job.run());
      // A transaction that changes nothing syncs nothing, and would leave earlier ones at risk.
      if (durable && this.#isAtRisk) this.#pulse.run();
      this.#db.run("COMMIT");
      this.#isAtRisk = !durable;
      this.#isTidy = false;
    } catch (error) {
      this.#failed(jobs, error);
      return;
    }
    for (const tell of done) tell();
  }

  /**
   * A full disk undoes the transaction and is said, and so does a file that SQLite could not open, before it wrote any. After any other
   * error nobody knows what is durable.
   */
  #failed(jobs: readonly Job[], error: unknown): void {
    if ((error as { code?: unknown }).code === "SQLITE_FULL") {
      if (this.#db.inTransaction) this.#db.run("ROLLBACK");
      this.#undone();
      void this.#makeRoom().then(
        (isDone) => {
          if (isDone) return this.#again(jobs);
          for (const job of jobs)
            job.fail(new DfsError("noRoom", "the disk of the catalog is full"));
        },
        (problem: unknown) => {
          for (const job of jobs) job.fail(asDfsError(problem));
        },
      );
      return;
    }
    if (isCantOpen(error)) {
      if (this.#db.inTransaction) this.#db.run("ROLLBACK");
      this.#undone();
      for (const job of jobs) job.fail(asDfsError(error));
      return;
    }
    this.#isOver = true;
    const { message } = asDfsError(error);
    this.#die(
      isCorrupt(error)
        ? brokenCatalog(message)
        : new DfsError("failed", `the catalog cannot be written: ${message}`),
    );
  }

  /** A log that begins anew needs no new room for what is small; then there is what was kept for this. */
  async #makeRoom(): Promise<boolean> {
    if (!this.#isTidy) {
      this.#isTidy = true;
      try {
        this.#db.run("PRAGMA wal_checkpoint(RESTART)");
        return true;
      } catch {
        // Where not even that has room, nothing is lost by it.
      }
    }
    return this.relief();
  }

  #again(jobs: readonly Job[]): void {
    const isWaiting = this.#jobs.length > 0;
    this.#jobs.unshift(...jobs);
    if (!isWaiting) this.#clock.after(0, () => this.#flush());
  }

  /** What still waits is never answered. */
  close(): void {
    this.#isOver = true;
  }
}

const codeOf = (error: unknown): string => String((error as { code?: unknown } | null)?.code);

/** Does SQLite say that the database is damaged? */
const isCorrupt = (error: unknown): boolean => /^SQLITE_(?:CORRUPT|NOTADB)/.test(codeOf(error));

/** Reads of the catalog, outside of transactions and in them. */
export type Reading = <T>(work: () => T) => T;

/**
 * What SQLite says at a read is told as that of this server: damage ends it, and what the disk has fails that one request. A transaction
 * sees to its own errors.
 */
export const readingFrom =
  (db: Database, die: (error: DfsError) => void): Reading =>
  (work) => {
    try {
      return work();
    } catch (error) {
      if (db.inTransaction || !codeOf(error).startsWith("SQLITE_")) throw error;
      const { message } = asDfsError(error);
      if (!isCorrupt(error)) throw new DfsError("failed", `the catalog cannot be read: ${message}`);
      const broken = brokenCatalog(message);
      die(broken);
      throw broken;
    }
  };

/** Could SQLite not open a file, as where the process has as many open as it may? */
export const isCantOpen = (error: unknown): boolean => codeOf(error).startsWith("SQLITE_CANTOPEN");

/** A catalog that can be served no more. */
export const brokenCatalog = (why: string): DfsError =>
  new DfsError(
    "folder",
    `the catalog is damaged (${why}): move this folder away, and replace the server`,
  );
