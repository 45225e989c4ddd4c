/**
 * A file beside the configuration with what this computer has seen of a cluster: the newest version
 * of each name, users' keys (client/trust/guard.ts), and facts of the cluster itself
 * (client/trust/memory.ts). It does not reveal the names. Used by store.ts,
 * and by the commands.
 */
import { constants as sqlite, Database } from "bun:sqlite";
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  lstatSync,
  openSync,
  realpathSync,
  type Stats,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { decode, encode } from "../../bytes.ts";
import { asDfsError } from "../../errors.ts";
import type { Seen } from "../../client/trust/guard.ts";
import type { ClusterMemory } from "../../client/trust/memory.ts";
import type { KeyMemory, KnownKey } from "../../client/agree/unlock.ts";
import { ballotCodec } from "../../version.ts";

const BUSY_MS = 5000;
const NOTES_AT_ONCE = 256;
const OWNER_ONLY = 0o600;
const PERMISSIONS = 0o777;
/** The file exists at this point. A link that has meanwhile replaced it is not followed. */
const FLAGS = sqlite.SQLITE_OPEN_READWRITE | sqlite.SQLITE_OPEN_NOFOLLOW;

const SCHEMA = [
  `CREATE TABLE IF NOT EXISTS seen (key TEXT PRIMARY KEY, birth BLOB NOT NULL, seq INTEGER NOT NULL,
   ballot BLOB NOT NULL, vid TEXT NOT NULL) STRICT, WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS user (name TEXT PRIMARY KEY, fingerprint BLOB NOT NULL, record BLOB NOT NULL)
   STRICT`,
  "CREATE TABLE IF NOT EXISTS fact (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT",
];

const FIND = "SELECT birth, seq, ballot, vid FROM seen WHERE key = ?";
const KEEP = `INSERT INTO seen (key, birth, seq, ballot, vid) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (key)
   DO UPDATE SET birth = ?2, seq = ?3, ballot = ?4, vid = ?5 WHERE (?2, ?3) > (birth, seq)`;

/**
 * What was seen is written at the latest when the file is closed. Several commands may have it open
 * at once.
 */
export interface SeenFile extends KeyMemory, ClusterMemory {
  close(): void;
}

/**
 * Opens the file beside this configuration. If it cannot be written, the memory lasts for this
 * command only, and `warn` is told so.
 */
export function openSeen(configuration: string, warn: (line: string) => void): SeenFile {
  const location = `${configuration}.seen`;
  try {
    return seenIn(new Database(ownFile(location), FLAGS), location, warn);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    warn(`${location}: ${why}; an older version than one seen before is not noticed`);
    return seenIn(new Database(":memory:", { strict: true }), location, warn);
  }
}

/** A memory that ends with the program. */
export const openForgetful = (): SeenFile =>
  seenIn(new Database(":memory:", { strict: true }), "the memory of this program", () => {});

/**
 * Makes sure that the database, and what SQLite may find beside it, are files of this user and no
 * links; makes the database if it is missing. Returns its path without links. Otherwise, in a
 * folder of another user, it could be any file of this user, and a command would change that.
 * Throws Error with the reason.
 */
function ownFile(location: string): string {
  const path = join(realpathSync(dirname(location)), basename(location));
  for (const beside of ["-journal", "-wal", "-shm"]) checkOwn(path + beside);
  if (!checkOwn(path)) make(path);
  const fd = openSync(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
  try {
    const info = fstatSync(fd);
    if (!isMine(info)) throw new Error(`${basename(path)} is no file of yours alone`);
    // The file contains the wrapped key, so a reader could try passwords.
    if ((info.mode & PERMISSIONS) !== OWNER_ONLY) fchmodSync(fd, OWNER_ONLY);
  } finally {
    closeSync(fd);
  }
  return path;
}

/** Makes an empty file, unless another command of this user makes it at the same time. */
function make(path: string): void {
  try {
    closeSync(openSync(path, "wx", OWNER_ONLY));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    checkOwn(path);
  }
}

/** Is there a file? Throws if it does not belong to this user, or has another name too. */
function checkOwn(path: string): boolean {
  const info = lstatSync(path, { throwIfNoEntry: false });
  if (!info) return false;
  const name = basename(path);
  if (info.isSymbolicLink()) throw new Error(`${name} is a link, which is not followed`);
  if (!info.isFile() || !isMine(info)) throw new Error(`${name} is no file of yours alone`);
  return true;
}

/**
 * Does a file belong to the user of this process, with no other name? On Windows this cannot be
 * told.
 */
const isMine = ({ uid, nlink }: Stats): boolean =>
  nlink === 1 && uid === (process.getuid?.() ?? uid);

interface Fact {
  key: string;
  value: Uint8Array;
}

interface Row {
  birth: Uint8Array;
  seq: number;
  ballot: Uint8Array;
  vid: string;
}

function seenIn(db: Database, location: string, warn: (line: string) => void): SeenFile {
  db.run(`PRAGMA busy_timeout=${BUSY_MS}`);
  // No sync: after a crash of the machine, less has been seen.
  db.run("PRAGMA synchronous=OFF");
  for (const sql of SCHEMA) db.run(sql);
  const fresh = new Map<string, Seen>();
  // Facts are few, and most commands need all of them.
  const facts = new Map(
    db
      .query<Fact, []>("SELECT key, value FROM fact")
      .all()
      .map(({ key, value }) => [key, value]),
  );
  const keepAll = (): void => {
    const keep = db.query(KEEP);
    for (const [key, { birthFloor, seq, ballot, vid }] of fresh)
      keep.run(key, encode(ballotCodec, birthFloor), seq, encode(ballotCodec, ballot), vid);
  };
  let hasWritten = false;
  let hasWarned = false;
  /**
   * The memory is only a safeguard: a full disk, or another command that writes for long, must not
   * fail the command.
   */
  const write = (work: () => void): void => {
    try {
      work();
    } catch (error) {
      if (!hasWarned)
        warn(`${location}: ${asDfsError(error).message}; what was just seen is not remembered`);
      hasWarned = true;
    }
  };
  const writeAll = (): void => {
    write(() => db.transaction(keepAll)());
    // What cannot be written now is remembered until this command ends.
    if (!hasWarned) fresh.clear();
    hasWritten = true;
  };
  return {
    location,
    recall(key) {
      const known = fresh.get(key);
      const row = known ? null : db.query<Row, [string]>(FIND).get(key);
      return known ?? (row && seenOf(row));
    },
    note(key, seen) {
      fresh.set(key, seen);
      // The first note is written at once: after a long transfer the disk may be busy for seconds.
      if (!hasWarned && (!hasWritten || fresh.size >= NOTES_AT_ONCE)) writeAll();
    },
    keyOf: (user) =>
      db.query<KnownKey, [string]>("SELECT fingerprint, record FROM user WHERE name = ?").get(user),
    noteKey: (user, { fingerprint, record }) =>
      write(
        () =>
          void db
            .query("INSERT OR REPLACE INTO user (name, fingerprint, record) VALUES (?, ?, ?)")
            .run(user, fingerprint, record),
      ),
    factOf: (key) => facts.get(key) ?? null,
    noteFact(key, value) {
      facts.set(key, value);
      write(
        () =>
          void db.query("INSERT OR REPLACE INTO fact (key, value) VALUES (?, ?)").run(key, value),
      );
    },
    close() {
      try {
        if (fresh.size > 0) writeAll();
      } finally {
        db.close();
      }
    },
  };
}

const seenOf = ({ birth, seq, ballot, vid }: Row): Seen => ({
  birthFloor: decode(ballotCodec, birth),
  seq,
  ballot: decode(ballotCodec, ballot),
  vid,
});
