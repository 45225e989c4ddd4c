/**
 * The real clock, random numbers and network, on Bun; the real disk is in bun_disk.ts. Used by the
 * commands and by the server's process. Many lines here avoid a trap of Bun's sockets.
 */
import { getRandomValues } from "node:crypto";
import { DfsError } from "../errors.ts";
import { writtenAddress } from "../membership.ts";
import { BunConn } from "./bun_conn.ts";
import { bindingOf, CLIENT_TLS, serverTls, tlsAccepting, whyNoTls } from "./bun_tls.ts";
import type { Clock, Listener, Net, Random } from "./ports.ts";
import { codeOf, reasonOf } from "./reason.ts";

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

const peerOf = ({ remoteAddress, remotePort }: Bun.Socket<BunConn>): string =>
  writtenAddress({ host: remoteAddress, port: remotePort });

/** The network. `onBytes` hears how many bytes its connections receive and send. */
export const bunNetWith = (onBytes: (bytes: number) => void): Net => ({
  connect(host, port, ms, secure) {
    const where = writtenAddress({ host, port });
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
        data: new BunConn(onBytes),
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

  async listen(host, port, accept, certificate, knock) {
    let closed = false;
    const ready = (socket: Bun.Socket<BunConn>, binding: Uint8Array | null): void => {
      // The socket was in its handshake when the listener closed.
      if (closed) return void socket.terminate();
      socket.data.onOpen(socket, peerOf(socket), binding);
      accept(socket.data);
    };
    // `data` of listen() is one object for all sockets, so each gets its own in `open`.
    const handlers: Bun.SocketHandler<BunConn> = certificate
      ? {
          ...socketHandlers,
          ...tlsAccepting(
            () => new BunConn(onBytes),
            ready,
            (socket) => knock?.({ peer: peerOf(socket), close: () => socket.terminate() }),
          ),
        }
      : {
          ...socketHandlers,
          open(socket) {
            socket.data = new BunConn(onBytes);
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
      const where = writtenAddress({ host, port });
      throw new DfsError("folder", `cannot listen on ${where}: ${why}`);
    }
  },
});

export const bunNet: Net = bunNetWith(() => {});
