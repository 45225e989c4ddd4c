/** TLS on the real ports, with peers that are not ours. */
import { afterAll, expect, test } from "bun:test";
import { connect, createServer, type Server } from "node:net";
import { connect as tlsConnect, createServer as createTlsServer } from "node:tls";
import { newCertificate } from "../../src/server/process/certificate.ts";
import { bunNet } from "../../src/io/bun.ts";
import type { Caller, Conn } from "../../src/io/ports.ts";
import { HANDSHAKE_MS } from "../../src/limits.ts";
import { errorOf, pattern, readExactly, same } from "./harness.ts";

const HOST = "127.0.0.1";
const CONNECT_MS = 10_000;
const LABEL = "EXPORTER-Channel-Binding";

const certificate = await newCertificate();
const heard: Conn[] = [];
const listener = await bunNet.listen(HOST, 0, (conn) => heard.push(conn), certificate);
afterAll(() => listener.close());

/** The connections that were accepted while this ran. */
async function heardWhile(work: () => Promise<unknown>): Promise<Conn[]> {
  heard.length = 0;
  await work();
  return heard.splice(0);
}

/** A server of another make, while `work` runs; its port. */
async function against<T>(server: Server, work: (port: number) => Promise<T>): Promise<T> {
  await new Promise<void>((resolve) => void server.listen(0, HOST, resolve));
  server.on("connection", (socket) => socket.on("error", () => {}));
  try {
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("it has no port");
    return await work(address.port);
  } finally {
    server.close();
  }
}

const secure = (port: number, ms = CONNECT_MS): Promise<Conn> =>
  bunNet.connect(HOST, port, ms, true);

test("both ends of a connection have one binding, no two connections the same", async () => {
  const seen = new Set<string>();
  for (let i = 0; i < 4; i++) {
    const accepted = Promise.withResolvers<Conn>();
    const own = await bunNet.listen(HOST, 0, accepted.resolve, certificate);
    const [client, server] = [await secure(own.port), await accepted.promise];
    expect(client.binding).toHaveLength(32);
    expect(server.binding).toEqual(client.binding);
    seen.add(Buffer.from(client.binding ?? []).toString("hex"));
    for (const end of [client, server, own]) end.close();
  }
  expect(seen.size).toBe(4);
});

test("the binding is the one of RFC 9266, as another library has it", async () => {
  await heardWhile(async () => {
    const socket = tlsConnect({ host: HOST, port: listener.port, rejectUnauthorized: false });
    await new Promise((resolve) => socket.once("secureConnect", resolve));
    expect(socket.getProtocol()).toBe("TLSv1.3");
    socket.write(pattern(1000));
    while (heard.length === 0) await Bun.sleep(1);
    const [conn] = heard;
    if (!conn) throw new Error("nobody was accepted");
    expect(same(await readExactly(conn, 1000), pattern(1000))).toBe(true);
    const theirs = socket.exportKeyingMaterial(32, LABEL, Buffer.alloc(0));
    expect(same(conn.binding ?? new Uint8Array(), theirs)).toBe(true);
    conn.close();
    socket.destroy();
  });
});

test("a resumed session has a binding of its own", async () => {
  const bindings: string[] = [];
  let session: Buffer | undefined;
  await heardWhile(async () => {
    for (const isReused of [false, true]) {
      const options = { host: HOST, port: listener.port, rejectUnauthorized: false };
      const socket = tlsConnect({ ...options, ...(session && { session }) });
      socket.once("session", (ticket) => (session = ticket));
      await new Promise((resolve) => socket.once("secureConnect", resolve));
      expect(socket.isSessionReused()).toBe(isReused);
      while (heard.length <= bindings.length) await Bun.sleep(1);
      // The ticket goes with the first bytes of the server.
      socket.resume();
      await heard.at(-1)?.write(pattern(1));
      while (!session) await Bun.sleep(1);
      const theirs = socket.exportKeyingMaterial(32, LABEL, Buffer.alloc(0));
      expect(same(heard.at(-1)?.binding ?? new Uint8Array(), theirs)).toBe(true);
      bindings.push(theirs.toString("hex"));
      socket.destroy();
    }
  });
  expect(new Set(bindings).size).toBe(2);
});

test("a client of TLS 1.2 is refused", async () => {
  const accepted = await heardWhile(async () => {
    const options = { host: HOST, port: listener.port, rejectUnauthorized: false };
    const socket = tlsConnect({ ...options, maxVersion: "TLSv1.2" });
    const error = await new Promise<Error>((resolve, reject) => {
      socket.once("error", resolve);
      socket.once("secureConnect", () => reject(new Error("it was taken")));
    });
    expect(error.message).toContain("PROTOCOL_VERSION");
  });
  expect(accepted).toEqual([]);
});

test("a server of TLS 1.2 is refused", async () => {
  const { cert, key } = certificate;
  const server = createTlsServer({ cert, key, maxVersion: "TLSv1.2" });
  server.on("tlsClientError", () => {});
  const error = await against(server, (port) => errorOf("down", secure(port)));
  expect(error.message).toMatch(/^127\.0\.0\.1:\d+: the server speaks no TLS 1\.3$/);
});

test("a client without TLS is dropped, and the next one is served", async () => {
  const accepted = await heardWhile(async () => {
    const conn = await bunNet.connect(HOST, listener.port, CONNECT_MS, false);
    await conn.write(pattern(100_000)).catch(() => {});
    while (await conn.read());
    conn.close();
  });
  expect(accepted).toEqual([]);
  (await secure(listener.port)).close();
});

test("a server that answers without TLS is down, and is told as such", async () => {
  const server = createServer((socket) => socket.once("data", () => socket.write("no frame")));
  const error = await against(server, (port) => errorOf("down", secure(port)));
  expect(error.message).toMatch(/^127\.0\.0\.1:\d+: the server speaks no TLS$/);
});

test("a server that hangs up on TLS, or never answers it, is down", async () => {
  const rude = createServer((socket) => socket.once("data", () => socket.end()));
  const error = await against(rude, (port) => errorOf("down", secure(port)));
  expect(error.message).toMatch(/: no TLS connection$/);
  const mute = createServer((socket) => socket.resume());
  const late = await against(mute, (port) => errorOf("down", secure(port, 50)));
  expect(late.message).toMatch(/: no TLS connection within 50 ms$/);
});

test(
  "a peer that never begins the handshake, or stops in the middle of it, is dropped",
  async () => {
    const accepted = await heardWhile(async () => {
      const silent = await bunNet.connect(HOST, listener.port, CONNECT_MS, false);
      const stuck = await bunNet.connect(HOST, listener.port, CONNECT_MS, false);
      // The head of a record, with most of it missing.
      await stuck.write(Uint8Array.of(0x16, 3, 1, 2, 0, 1));
      expect(await silent.read()).toBeNull();
      expect(await stuck.read()).toBeNull();
    });
    expect(accepted).toEqual([]);
  },
  HANDSHAKE_MS * 4,
);

test("a connection whose handshake ends after the listener closed is dropped", async () => {
  const accepted: Conn[] = [];
  const own = await bunNet.listen(HOST, 0, (conn) => accepted.push(conn), certificate);
  const socket = connect({ host: HOST, port: own.port });
  await new Promise((resolve) => socket.once("connect", resolve));
  // The server takes it from its backlog.
  await Bun.sleep(20);
  own.close();
  const secured = tlsConnect({ socket, rejectUnauthorized: false });
  secured.on("error", () => {});
  await new Promise((resolve) => secured.once("close", resolve));
  expect(accepted).toEqual([]);
});

test("an end that closes in `accept` closes the other", async () => {
  const own = await bunNet.listen(HOST, 0, (conn) => conn.close(), certificate);
  const conn = await secure(own.port);
  expect(await conn.read()).toBeNull();
  conn.close();
  own.close();
});

test("each handshake that begins is told of, and its end, well or not; and can be cut short", async () => {
  const events: string[] = [];
  const callers: Caller[] = [];
  const knock = (caller: Caller): (() => void) => {
    callers.push(caller);
    events.push("begun");
    return () => void events.push("over");
  };
  const accept = (conn: Conn): void => {
    events.push("accepted");
    conn.close();
  };
  const own = await bunNet.listen(HOST, 0, accept, certificate, knock);
  const until = async (count: number): Promise<void> => {
    while (events.length < count) await Bun.sleep(1);
  };
  (await secure(own.port)).close();
  await until(3);
  const silent = connect(own.port, HOST);
  await until(4);
  silent.destroy();
  await until(5);
  const another = connect(own.port, HOST);
  const ended = new Promise((resolve) => void another.once("close", resolve));
  await until(6);
  expect(callers.at(-1)?.peer).toBe(`${HOST}:${another.localPort}`);
  callers.at(-1)?.close();
  await ended;
  await until(7);
  expect(events).toEqual(["begun", "over", "accepted", "begun", "over", "begun", "over"]);
  own.close();
});
