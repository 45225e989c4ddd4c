/**
 * The four ports: all that workflows may know of the machine. `bun.ts` has the real ones, `test/sim` the simulated
 * ones, and one contract suite (test/io/contract) holds both to what is written here.
 */
import type { Database } from "bun:sqlite";

export interface Clock {
  /** Milliseconds that never go back; for deadlines only. */
  now(): number;
  /** Milliseconds since 1970; for what people read, never for order. */
  wall(): number;
  /** Calls `fn` once, `ms` milliseconds from now (0: in a later turn); the function returned cancels that. */
  after(ms: number, fn: () => void): () => void;
}

export interface Random {
  /** `n` bytes that nobody can guess. */
  bytes(n: number): Uint8Array;
  /** A number in [0, 1). */
  fraction(): number;
}

/** One open connection: a stream of bytes each way. */
export interface Conn {
  /** Whom this is, for messages: "127.0.0.1:10001". */
  readonly peer: string;
  /**
   * With TLS, 32 bytes that only the two ends of this one connection know (the "tls-exporter" of RFC 9266): a login
   * bound to them is worth nothing to somebody in between. Null without TLS.
   */
  readonly binding: Uint8Array | null;
  /** Bytes received and sent so far, as the kernel took or gave them; with TLS, before it seals and after it opens them. */
  readonly received: number;
  readonly sent: number;
  /**
   * The next bytes, in order; null once the peer ended or the connection broke. One read at a time. What is not read
   * is not taken from the kernel beyond a small buffer, so a slow reader slows the sender. The bytes are the caller's.
   */
  read(): Promise<Uint8Array | null>;
  /**
   * Sends the parts in order, after all that was written before; resolves when the kernel has taken them, so awaiting
   * it is the back-pressure. The parts must not change until then. Throws DfsError("down") once the connection broke.
   */
  write(...parts: Uint8Array[]): Promise<void>;
  /** Ends the connection at once, both ways; a pending read resolves to null, a pending write throws. Idempotent. */
  close(): void;
}

/** A connection whose handshake is not over. */
export type Caller = Pick<Conn, "peer" | "close">;

export interface Listener {
  readonly port: number;
  /** Takes no new connections; those open stay. */
  close(): void;
}

/** What a server shows of itself in TLS, in PEM. Nobody judges it: it is the login that proves both ends. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export interface Net {
  /**
   * Opens a connection, with TLS 1.3 if `secure`; throws DfsError("down") if it is refused, or not open within `ms`,
   * or the peer speaks no TLS 1.3. A secure connection is not safe from a man in the middle until a login is bound to it.
   */
  connect(host: string, port: number, ms: number, secure: boolean): Promise<Conn>;
  /**
   * Throws DfsError("folder") with a line for the user when the address cannot be had. Port 0 is any free one. With a
   * certificate all connections are TLS 1.3: a peer that speaks none, or does not begin to, is dropped, and `accept`
   * never hears of it; but `knock` hears of each that begins a handshake, and what it returns is called when that is over, well or not.
   */
  listen(
    host: string,
    port: number,
    accept: (conn: Conn) => void,
    certificate: Certificate | null,
    knock?: (caller: Caller) => () => void,
  ): Promise<Listener>;
}

export interface OpenFile {
  /** Fills `into` from `offset` on; returns how many bytes there were (fewer only at the end of the file). */
  read(into: Uint8Array, offset: number): Promise<number>;
  /** Writes all of `bytes` at `offset`; throws DfsError("noRoom") on a full disk. */
  write(bytes: Uint8Array, offset: number): Promise<void>;
  /** Returns when all that was written is durable; throws DfsError("unsynced") where the disk could not make it so. */
  sync(): Promise<void>;
  /** A second one does nothing. Whatever comes after the first throws DfsError("failed"). */
  close(): Promise<void>;
}

export interface FileInfo {
  readonly bytes: number;
  readonly isFolder: boolean;
  /** Milliseconds since 1970. */
  readonly modified: number;
  /** Differs between a file and every copy of it; null where the disk does not tell. */
  readonly born: string | null;
}

/** How much a disk has of something. */
export interface Extent {
  /** What a process may still use. */
  readonly free: number;
  readonly total: number;
}

/** The room on a disk; null where its file system does not tell. */
export interface Space {
  readonly bytes: Extent | null;
  /** Files and folders that it can hold (inodes). */
  readonly files: Extent | null;
  /** Which disk it is: two paths on one disk are told the same, whichever process asks. Nothing where that is not known. */
  readonly disk?: string;
}

/** Paths are the operating system's. Errors that are not named are DfsError("failed") with the system's reason. */
export interface Disk {
  /** "read": of an existing file. "create": a new one; throws if it is there already, and DfsError("noRoom") where there is none. */
  open(path: string, mode: "read" | "create"): Promise<OpenFile>;
  /** Replaces `to` atomically; durable after `syncFolder` of its folder. Throws DfsError("noRoom"). */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file; one that is not there is no error. */
  remove(path: string): Promise<void>;
  /** Makes a folder and those above it; one that is there is no error. Throws DfsError("noRoom"). */
  makeFolder(path: string): Promise<void>;
  /** The names in a folder, sorted; an absent folder is empty. */
  list(path: string): Promise<string[]>;
  /**
   * Returns when the folder's entries are durable; throws DfsError("unsynced") where the disk could not make them so, and another
   * error where the folder could not even be opened.
   */
  syncFolder(path: string): Promise<void>;
  /** null: nothing is there. */
  stat(path: string): Promise<FileInfo | null>;
  /** The room on the disk of this path. */
  space(path: string): Promise<Space>;
  /**
   * Opens or makes an SQLite database. Its log, `<path>-wal`, stays when it is closed, as long as it was: it is empty only before the first
   * commit, and after `wal_checkpoint(TRUNCATE)`.
   */
  database(path: string): Database;
}

/** What a server says of itself to who runs it. In none of it is a password, or the name of a file. */
export interface Notice {
  readonly level: "warning" | "info" | "verbose";
  /** What happened, as programs tell it from others. */
  readonly event: string;
  /** The same for people, with what `facts` has of it. */
  readonly line: string;
  readonly facts?: Readonly<Record<string, string | number>>;
}

export type Notify = (told: Notice) => void;
