/**
 * Group commit: all changes that wait go into one transaction, and each is answered only after the
 * transaction is durable. Used by catalog.ts. It also turns SQLite's errors into those of this
 * server.
 */
import type { Database } from "bun:sqlite";
import { asDfsError, DfsError, isDfsError } from "../../errors.ts";
import type { Clock } from "../../io/ports.ts";

interface Job {
  readonly durable: boolean;
  /**
   * Does the work. The function that it returns tells the caller the result, once the transaction
   * is committed.
   */
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
  /** Does a transaction sync the log with the present setting? null: not set yet. */
  #syncs: boolean | null = null;
  #isOver = false;
  /** Has the log been restarted since the last write? */
  #isRestarted = false;
  /** Makes room on a full disk; resolves to false if it cannot. */
  relief: () => Promise<boolean> = () => Promise.resolve(false);

  /**
   * `undone` is called after a transaction was undone; `die` after an error that leaves open what
   * is durable.
   */
  constructor(db: Database, clock: Clock, undone: () => void, die: (error: DfsError) => void) {
    this.#db = db;
    this.#pulse = db.query(
      "INSERT INTO pulse VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET beats = beats + 1",
    );
    this.#clock = clock;
    this.#undone = undone;
    this.#die = die;
  }

  /**
   * Runs `work` in the next transaction, and resolves to its result once that is durable. With
   * `durable` false it resolves once the transaction is committed; a crash may then undo it. `work`
   * may throw only a DfsError, and only before it changes anything.
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
      // In a later turn of the event loop, so that requests that came in together are committed
      // together.
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
      // A transaction that changes nothing syncs nothing: without the pulse, earlier ones would
      // stay at risk.
      if (durable && this.#isAtRisk) this.#pulse.run();
      this.#db.run("COMMIT");
      this.#isAtRisk = !durable;
      this.#isRestarted = false;
    } catch (error) {
      this.#failed(jobs, error);
      return;
    }
    for (const answer of done) answer();
  }

  /**
   * A full disk undoes the transaction, and the caller learns of it. So does a file that SQLite
   * could not open, for then nothing was written. After any other error nobody knows what is
   * durable.
   */
  #failed(jobs: readonly Job[], error: unknown): void {
    if ((error as { code?: unknown }).code === "SQLITE_FULL") {
      if (this.#db.inTransaction) this.#db.run("ROLLBACK");
      this.#undone();
      void this.#makeRoom().then(
        (isDone) => {
          if (isDone) return this.#retry(jobs);
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

  /**
   * A restarted log needs no new room for small changes. If it was restarted already, `relief`
   * gives up what was kept for this case.
   */
  async #makeRoom(): Promise<boolean> {
    if (!this.#isRestarted) {
      this.#isRestarted = true;
      try {
        this.#db.run("PRAGMA wal_checkpoint(RESTART)");
        return true;
      } catch {
        // If even that finds no room, nothing is lost.
      }
    }
    return this.relief();
  }

  #retry(jobs: readonly Job[]): void {
    const isWaiting = this.#jobs.length > 0;
    this.#jobs.unshift(...jobs);
    if (!isWaiting) this.#clock.after(0, () => this.#flush());
  }

  /** Changes that still wait are never answered. */
  close(): void {
    this.#isOver = true;
  }
}

const codeOf = (error: unknown): string => String((error as { code?: unknown } | null)?.code);

/** Does SQLite say that the database is damaged? */
const isCorrupt = (error: unknown): boolean => /^SQLITE_(?:CORRUPT|NOTADB)/.test(codeOf(error));

/** Runs a read of the catalog, in a transaction or outside of one. */
export type Reading = <T>(work: () => T) => T;

/**
 * Makes the function that turns SQLite's error at a read into this server's: damage ends the
 * server, and a failure of the disk fails this one request. Inside a transaction the error passes
 * unchanged: GroupCommit handles it.
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

/**
 * Could SQLite not open a file? For example, the process may have as many files open as it is
 * allowed.
 */
export const isCantOpen = (error: unknown): boolean => codeOf(error).startsWith("SQLITE_CANTOPEN");

/** The error of a catalog that can be served no more. */
export const brokenCatalog = (why: string): DfsError =>
  new DfsError(
    "folder",
    `the catalog is damaged (${why}): move this folder away, and replace the server`,
  );
