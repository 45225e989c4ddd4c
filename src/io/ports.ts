/**
 * The four ports: everything that workflows may know of the machine. `bun.ts` and `bun_disk.ts`
 * have the real ones, `test/sim` the simulated ones; one contract suite (test/io/contract) checks
 * both against what is written here.
 */
import type { Database } from "bun:sqlite";

export interface Clock {
  /** Milliseconds that never go back. For deadlines only. */
  now(): number;
  /** Milliseconds since 1970. For what people read, never for order. */
  wall(): number;
  /**
   * Calls `fn` once, `ms` milliseconds from now; 0 means in a later turn of the event loop. The
   * returned function cancels that.
   */
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
  /** The address of the other end, for messages: "127.0.0.1:10001". */
  readonly peer: string;
  /**
   * With TLS, 32 bytes that only the two ends of this connection know (the "tls-exporter" of RFC
   * 9266). A login bound to them is worth nothing to a man in the middle. null without TLS.
   */
  readonly binding: Uint8Array | null;
  /**
   * Bytes received and sent so far, as the kernel gave or took them. With TLS these are plain
   * bytes.
   */
  readonly received: number;
  readonly sent: number;
  /**
   * The next bytes, in order; null once the peer ended or the connection broke. One read at a time.
   * Unread bytes stay in the kernel, but for a small buffer, so a slow reader slows the sender. The
   * caller owns the bytes.
   */
  read(): Promise<Uint8Array | null>;
  /**
   * Takes bytes back that `read` gave, so that their memory can be used again at once. Nothing may
   * refer to them any more. Bytes need not be given back.
   */
  giveBack(bytes: Uint8Array): void;
  /**
   * Sends the parts in order, after everything written before. Resolves when the kernel has taken
   * them, so awaiting it is the back-pressure. Until then the parts must not change. Throws
   * DfsError("down") once the connection broke.
   */
  write(...parts: Uint8Array[]): Promise<void>;
  /**
   * Ends the connection at once, both ways. A pending read resolves to null, and a pending write
   * throws. Idempotent.
   */
  close(): void;
}

/** A connection whose handshake is not over. */
export type Caller = Pick<Conn, "peer" | "close">;

export interface Listener {
  readonly port: number;
  /** Takes no new connections. Open ones stay. */
  close(): void;
}

/**
 * The certificate that a server shows in TLS, in PEM. No client checks it: the login proves both
 * ends.
 */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export interface Net {
  /**
   * Opens a connection, with TLS 1.3 if `secure`. Throws DfsError("down") if it is refused or not
   * open within `ms`, or if the peer speaks no TLS 1.3. A secure connection is not safe from a man
   * in the middle until a login is bound to it.
   */
  connect(host: string, port: number, ms: number, secure: boolean): Promise<Conn>;
  /**
   * Listens on an address; port 0 means any free one. Throws DfsError("folder") with a line for the
   * user if the address is not available. With a certificate all connections are TLS 1.3, and
   * `accept` never hears of a peer that does not complete the handshake. `knock` hears of each peer
   * that begins a handshake; the function that it returns is called when the handshake is over,
   * well or not.
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
  /**
   * Fills `into` from `offset` on. Returns how many bytes there were: fewer than asked only at the
   * end of the file.
   */
  read(into: Uint8Array, offset: number): Promise<number>;
  /** Writes all of `bytes` at `offset`. Throws DfsError("noRoom") on a full disk. */
  write(bytes: Uint8Array, offset: number): Promise<void>;
  /**
   * Resolves when all that was written is durable. Throws DfsError("unsynced") if the disk could
   * not make it so.
   */
  sync(): Promise<void>;
  /**
   * Closes the file. A second call does nothing. Other calls throw DfsError("failed") after the
   * first.
   */
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

/** How much of something a disk has. */
export interface Extent {
  /** How much a process may still use. */
  readonly free: number;
  readonly total: number;
}

/** The room on a disk; null where its file system does not tell. */
export interface Space {
  readonly bytes: Extent | null;
  /** Files and folders that it can hold (inodes). */
  readonly files: Extent | null;
  /**
   * Which disk it is: the same for two paths on one disk, whichever process asks. Missing where
   * that is not known.
   */
  readonly disk?: string;
}

/**
 * Paths are those of the operating system. Other errors than those named are DfsError("failed")
 * with the system's reason.
 */
export interface Disk {
  /**
   * "read" opens an existing file. "create" makes a new one: it throws if there is a file already,
   * and DfsError("noRoom") if there is no room.
   */
  open(path: string, mode: "read" | "create"): Promise<OpenFile>;
  /**
   * Replaces `to` atomically. This is durable after `syncFolder` of its folder. Throws
   * DfsError("noRoom").
   */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file. A missing one is no error. */
  remove(path: string): Promise<void>;
  /** Makes a folder and those above it. An existing one is no error. Throws DfsError("noRoom"). */
  makeFolder(path: string): Promise<void>;
  /** The names in a folder, sorted; none if it is absent. */
  list(path: string): Promise<string[]>;
  /**
   * Resolves when the folder's entries are durable. Throws DfsError("unsynced") if the disk could
   * not make them so, and another error if the folder could not be opened.
   */
  syncFolder(path: string): Promise<void>;
  /** null if nothing is there. */
  stat(path: string): Promise<FileInfo | null>;
  /** The room on the disk of this path. */
  space(path: string): Promise<Space>;
  /**
   * Opens or makes an SQLite database. Its log, `<path>-wal`, stays as it is when the database is
   * closed: it is empty only before the first commit, and after `wal_checkpoint(TRUNCATE)`.
   */
  database(path: string): Database;
}

/** What a server tells its operator. It never contains a password or the name of a file. */
export interface Notice {
  readonly level: "warning" | "info" | "verbose";
  /** The kind of event, for programs. */
  readonly event: string;
  /** The event for people; it contains the `facts` too. */
  readonly line: string;
  readonly facts?: Readonly<Record<string, string | number>>;
}

export type Notify = (notice: Notice) => void;
