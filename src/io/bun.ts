/** The real ports, on Bun. The traps that shaped each line are in the project's notes on Bun's sockets and files. */
import { Database } from "bun:sqlite";
import { getRandomValues } from "node:crypto";
import * as fs from "node:fs/promises";
import { DfsError } from "../errors.ts";
import { BunConn } from "./bun_conn.ts";
import { bindingOf, CLIENT_TLS, serverTls, tlsAccepting, whyNoTls } from "./bun_tls.ts";
import type { Clock, Disk, Listener, Net, OpenFile, Random } from "./ports.ts";

export const bunClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after(ms, fn) {
    if (ms <= 0) {
      const immediate = setImmediate(fn);
      return () => clearImmediate(immediate);
    }
    const timer = setTimeout(fn, ms);
    return () => clearTimeout(timer);
  },
};

export const bunRandom: Random = {
  bytes: (n) => getRandomValues(new Uint8Array(n)),
  fraction: () => Math.random(),
};

const socketHandlers: Bun.SocketHandler<BunConn> = {
  data: (socket, bytes) => socket.data.onData(bytes),
  drain: (socket) => socket.data.onDrain(),
  end: (socket) => socket.data.onEnd(),
  close: (socket) => socket.data.onEnd(),
  error: (socket) => socket.data.close(),
};

const hostPort = (host: string, port: number): string =>
  host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;

export const bunNet: Net = {
  connect(host, port, ms, secure) {
    const where = hostPort(host, port);
    return new Promise((resolve, reject) => {
      let socket: Bun.Socket<BunConn> | null = null;
      let late = false;
      const fail = (why: string): void => {
        clearTimeout(timer);
        reject(new DfsError("down", `${where}: ${why}`));
      };
      const timer = setTimeout(() => {
        late = true;
        fail(`no ${socket ? "TLS " : ""}connection within ${ms} ms`);
        socket?.terminate();
      }, ms);
      const ready = (opened: Bun.Socket<BunConn>, binding: Uint8Array | null): void => {
        clearTimeout(timer);
        opened.data.onOpen(opened, where, binding);
        resolve(opened.data);
      };
      const opening = Bun.connect<BunConn>({
        hostname: host,
        port,
        data: new BunConn(),
        ...(secure && { tls: CLIENT_TLS }),
        socket: {
          ...socketHandlers,
          open(opened) {
            if (late) return void opened.terminate();
            if (!secure) return ready(opened, null);
            socket = opened;
          },
          ...(secure && {
            handshake(opened, _trusted, error) {
              const binding = bindingOf(opened);
              if (binding) return ready(opened, binding);
              fail(whyNoTls(error));
              opened.terminate();
            },
          }),
          connectError: (_socket, error) => fail(reasonOf(error)),
        },
      });
      opening.catch((error: unknown) => fail(reasonOf(error)));
    });
  },

  async listen(host, port, accept, certificate) {
    let closed = false;
    const ready = (socket: Bun.Socket<BunConn>, binding: Uint8Array | null): void => {
      // It was in its handshake when the listener closed.
      if (closed) return void socket.terminate();
      const peer = hostPort(socket.remoteAddress, socket.remotePort);
      socket.data.onOpen(socket, peer, binding);
      accept(socket.data);
    };
    // `data` of listen() is one object for all sockets, so each gets its own in `open`.
    const handlers: Bun.SocketHandler<BunConn> = certificate
      ? { ...socketHandlers, ...tlsAccepting(ready) }
      : {
          ...socketHandlers,
          open(socket) {
            socket.data = new BunConn();
            ready(socket, null);
          },
        };
    try {
      const server = Bun.listen<BunConn>({
        hostname: host,
        port,
        socket: handlers,
        ...(certificate && { tls: serverTls(certificate) }),
      });
      const close = (): void => {
        closed = true;
        server.stop(false);
      };
      return { port: server.port, close } satisfies Listener;
    } catch (error) {
      const why = codeOf(error) === "EADDRINUSE" ? "another program is using it" : reasonOf(error);
      throw new DfsError("folder", `cannot listen on ${hostPort(host, port)}: ${why}`);
    }
  },
};

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error ? (error as Error & { code?: string }).code : undefined;

function reasonOf(error: unknown): string {
  const code = codeOf(error);
  const known: Record<string, string> = {
    ECONNREFUSED: "connection refused",
    ENOENT: "no such file or folder",
    EACCES: "permission denied",
    EISDIR: "it is a folder",
    ENOTDIR: "a part of the path is not a folder",
    EEXIST: "it is there already",
    EROFS: "the disk is read-only",
    ENAMETOOLONG: "the name is too long for this disk",
    EMFILE: "too many open files",
    EIO: "the disk reports an error",
  };
  return (
    (code !== undefined && known[code]) || (error instanceof Error ? error.message : String(error))
  );
}

/** Runs a file operation; its errors become DfsErrors that name the path. */
async function io<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOSPC" || code === "EDQUOT")
      throw new DfsError("noRoom", `${path}: the disk is full`);
    throw new DfsError("failed", `${path}: ${reasonOf(error)}`);
  }
}

const openFile = (path: string, handle: fs.FileHandle): OpenFile => ({
  read: (into, offset) =>
    io(path, async () => {
      let got = 0;
      while (got < into.length) {
        const { bytesRead } = await handle.read(into, got, into.length - got, offset + got);
        if (bytesRead === 0) break;
        got += bytesRead;
      }
      return got;
    }),
  write: (bytes, offset) =>
    io(path, async () => {
      let put = 0;
      while (put < bytes.length) {
        const { bytesWritten } = await handle.write(bytes, put, bytes.length - put, offset + put);
        put += bytesWritten;
      }
    }),
  sync: () => io(path, () => handle.datasync()),
  close: () => io(path, () => handle.close()),
});

/** What is not yet whole is nobody else's; who wants it otherwise says so in the end. */
const OWNER_ONLY = 0o600;

export const bunDisk: Disk = {
  open: (path, mode) =>
    io(path, async () =>
      openFile(path, await fs.open(path, mode === "read" ? "r" : "wx+", OWNER_ONLY)),
    ),
  rename: (from, to) => io(to, () => fs.rename(from, to)),
  remove: (path) => io(path, () => fs.rm(path, { force: true })),
  makeFolder: (path) => io(path, async () => void (await fs.mkdir(path, { recursive: true }))),
  list: (path) =>
    io(path, async () => {
      try {
        return (await fs.readdir(path)).toSorted();
      } catch (error) {
        if (codeOf(error) === "ENOENT") return [];
        throw error;
      }
    }),
  syncFolder: (path) =>
    io(path, async () => {
      await using folder = await fs.open(path, "r");
      await folder.sync();
    }),
  stat: (path) =>
    io(path, async () => {
      try {
        const info = await fs.stat(path, { bigint: true });
        return {
          bytes: Number(info.size),
          isFolder: info.isDirectory(),
          modified: Number(info.mtimeMs),
          born: info.birthtimeNs > 0n ? String(info.birthtimeNs) : null,
        };
      } catch (error) {
        if (codeOf(error) === "ENOENT") return null;
        throw error;
      }
    }),
  space: (path) =>
    io(path, async () => {
      const { bavail, blocks, bsize } = await fs.statfs(path);
      return { free: bavail * bsize, total: blocks * bsize };
    }),
  database: (path) => new Database(path, { create: true, strict: true }),
};
