/** The Net port's part of the contract. */
import { describe, expect, test } from "bun:test";
import { MIB } from "../../src/limits.ts";
import type { Conn, Listener } from "../../src/io/ports.ts";
import { errorOf, type Harness, pattern, readExactly, same, wait } from "./harness.ts";
import { closeAll, connect, connected, listen } from "./pair.ts";
import { tlsContract } from "./tls_contract.ts";

/** More than any kernel or simulated network takes for a reader that does not read. */
const TAKEN_MAX = 48 * MIB;

/** Bytes as several parts of uneven sizes. */
function parts(bytes: Uint8Array): Uint8Array[] {
  const cuts = [0, Math.min(4, bytes.length), Math.floor(bytes.length / 3), bytes.length].toSorted(
    (a, b) => a - b,
  );
  return cuts.slice(1).map((to, i) => bytes.subarray(cuts[i], to));
}

export function netContract(harness: Harness): void {
  describe(`${harness.name}: net`, () => {
    for (const size of [0, 1, 100, 65_537, 5_000_000]) {
      test(`${size} bytes arrive whole and in order, both ways at once`, () =>
        harness.run(async (ports) => {
          const pair = await connected(ports);
          const { client, server } = pair;
          const [up, down] = [pattern(size, 1), pattern(size, 2)];
          const send = async (conn: Conn, bytes: Uint8Array): Promise<void> => {
            await conn.write(...parts(bytes));
            await conn.write(Uint8Array.of(0xff));
          };
          const [gotDown, gotUp] = await Promise.all([
            readExactly(client, size + 1),
            readExactly(server, size + 1),
            send(client, up),
            send(server, down),
          ]);
          expect(same(gotUp.subarray(0, size), up)).toBe(true);
          expect(same(gotDown.subarray(0, size), down)).toBe(true);
          for (const { sent, received } of [client, server]) {
            expect(sent).toBe(size + 1);
            expect(received).toBe(size + 1);
          }
          closeAll(pair);
        }));
    }

    test("writes that are not awaited go out in order", () =>
      harness.run(async (ports) => {
        const pair = await connected(ports);
        const chunks = Array.from({ length: 40 }, (_, i) => pattern(i * 3001, i));
        const writes = chunks.map((chunk) => pair.client.write(chunk));
        const all = Buffer.concat(chunks);
        expect(same(await readExactly(pair.server, all.length), all)).toBe(true);
        await Promise.all(writes);
        closeAll(pair);
      }));

    test("what was read and what was written is the caller's afterwards", () =>
      harness.run(async (ports) => {
        const pair = await connected(ports);
        const bytes = pattern(1000);
        await pair.client.write(bytes);
        bytes.fill(0);
        const got = await readExactly(pair.server, 1000);
        got.fill(7);
        await pair.server.write(got);
        expect(same(await readExactly(pair.client, 1000), new Uint8Array(1000).fill(7))).toBe(true);
        closeAll(pair);
      }));

    test("bytes that were given back leave those that come after them as they are", () =>
      harness.run(async (ports) => {
        const pair = await connected(ports);
        const bytes = pattern(3_000_000);
        const sending = pair.client.write(bytes);
        for (let at = 0; at < bytes.length;) {
          const got = await pair.server.read();
          if (!got) throw new Error("the connection ended");
          expect(same(got, bytes.subarray(at, at + got.length))).toBe(true);
          at += got.length;
          pair.server.giveBack(got);
        }
        await sending;
        // The sender's own bytes are not those that were given back.
        expect(same(bytes, pattern(3_000_000))).toBe(true);
        closeAll(pair);
      }));

    test("a reader that does not read stops the writer, and nothing is lost by it", () =>
      harness.run(async (ports) => {
        const pair = await connected(ports);
        const { client, server } = pair;
        const chunk = pattern(256 * 1024);
        let written = 0;
        let stop = false;
        const writer = (async () => {
          while (!stop) {
            await client.write(chunk);
            written += chunk.length;
          }
          await client.write(Uint8Array.of(1));
        })();
        await wait(ports.clock, 400);
        const before = written;
        await wait(ports.clock, 200);
        expect(written).toBe(before);
        expect(client.sent).toBeLessThan(TAKEN_MAX);
        stop = true;
        // The write that waited, and the last byte.
        const total = before + chunk.length + 1;
        const got = await readExactly(server, total);
        await writer;
        for (let at = 0; at + chunk.length < total; at += chunk.length) {
          expect(same(got.subarray(at, at + chunk.length), chunk)).toBe(true);
        }
        expect(client.sent).toBe(total);
        closeAll(pair);
      }));

    test("what was sent before an orderly end is read before the end", () =>
      harness.run(async (ports) => {
        const pair = await connected(ports);
        const bytes = pattern(1_000_000);
        const reading = readExactly(pair.client, bytes.length);
        await pair.server.write(bytes);
        pair.server.close();
        expect(same(await reading, bytes)).toBe(true);
        expect(await pair.client.read()).toBeNull();
        expect(await pair.client.read()).toBeNull();
        await errorOf("down", pair.client.write(bytes));
        closeAll(pair);
      }));

    test("closing settles what is pending: a read as null, a write as an error; again does nothing", () =>
      harness.run(async (ports) => {
        const pair = await connected(ports);
        const reading = pair.client.read();
        const writing = errorOf("down", pair.client.write(new Uint8Array(TAKEN_MAX)));
        pair.client.close();
        expect(await reading).toBeNull();
        await writing;
        pair.client.close();
        expect(await pair.client.read()).toBeNull();
        await errorOf("down", pair.client.write(pattern(1)));
        closeAll(pair);
      }));

    test("bytes that were not read before the close are not read after it", () =>
      harness.run(async (ports) => {
        const pair = await connected(ports);
        await pair.server.write(pattern(10));
        while (pair.client.received < 10) await wait(ports.clock, 1);
        pair.client.close();
        expect(await pair.client.read()).toBeNull();
        closeAll(pair);
      }));

    test("a peer that goes away settles what is pending", () =>
      harness.run(async (ports) => {
        const pair = await connected(ports);
        const reading = pair.client.read();
        const writing = errorOf("down", pair.client.write(new Uint8Array(TAKEN_MAX)));
        await wait(ports.clock, 20);
        pair.server.close();
        expect(await reading).toBeNull();
        await writing;
        await errorOf("down", pair.client.write(pattern(1)));
        closeAll(pair);
      }));

    test("a peer that is half dead, and writes without reading, is heard", () =>
      harness.run(async (ports) => {
        const pair = await connected(ports);
        const stuck = errorOf("down", pair.client.write(new Uint8Array(TAKEN_MAX)));
        await pair.server.write(pattern(1000));
        expect(same(await readExactly(pair.client, 1000), pattern(1000))).toBe(true);
        pair.client.close();
        await stuck;
        closeAll(pair);
      }));

    test("a refused connection is down at once", () =>
      harness.run(async (ports) => {
        const listener = await listen(ports, (conn) => conn.close());
        listener.close();
        const start = ports.clock.now();
        await errorOf("down", connect(ports, listener));
        expect(ports.clock.now() - start).toBeLessThan(1000);
      }));

    test("a connection that does not open is down at its deadline", () =>
      harness.run(async (ports) => {
        const silent = await ports.silent();
        const secure = ports.certificate !== null;
        const start = ports.clock.now();
        await errorOf("down", ports.clientNet.connect(silent.host, silent.port, 250, secure));
        const passed = ports.clock.now() - start;
        expect(passed).toBeGreaterThan(240);
        expect(passed).toBeLessThan(600);
        silent.end();
      }));

    test("a connection whose first packets are lost opens once they come through", () =>
      harness.run(async (ports) => {
        const silent = await ports.silent();
        const opening = ports.clientNet.connect(silent.host, silent.port, 20_000, false);
        await wait(ports.clock, 250);
        silent.wake();
        (await opening).close();
        silent.end();
      }));

    test("port 0 is any free port, and one in use cannot be had until it is free", () =>
      harness.run(async (ports) => {
        const take = (port: number): Promise<Listener> =>
          listen(ports, (conn) => conn.close(), port);
        const [first, second] = [await take(0), await take(0)];
        expect(first.port).toBeGreaterThan(0);
        expect(second.port).not.toBe(first.port);
        await errorOf("folder", take(first.port));
        first.close();
        const again = await take(first.port);
        expect(again.port).toBe(first.port);
        again.close();
        second.close();
      }));

    test("a listener that closes leaves open connections alone", () =>
      harness.run(async (ports) => {
        const pair = await connected(ports);
        pair.listener.close();
        await errorOf("down", connect(ports, pair.listener));
        await pair.client.write(pattern(100));
        expect(same(await readExactly(pair.server, 100), pattern(100))).toBe(true);
        closeAll(pair);
      }));

    test("many connections at once do not mix, and each knows its peer", () =>
      harness.run(async (ports) => {
        const echo = async (conn: Conn): Promise<void> => {
          for (let bytes = await conn.read(); bytes; bytes = await conn.read())
            await conn.write(bytes);
          conn.close();
        };
        const listener = await listen(ports, (conn) => void echo(conn).catch(() => {}));
        const talk = async (i: number): Promise<void> => {
          const conn = await connect(ports, listener);
          expect(conn.peer).toContain(`:${listener.port}`);
          for (let round = 0; round < 5; round++) {
            const bytes = pattern(100 + i, i + round);
            await conn.write(bytes);
            expect(same(await readExactly(conn, bytes.length), bytes)).toBe(true);
          }
          conn.close();
        };
        await Promise.all(Array.from({ length: 50 }, (_, i) => talk(i)));
        listener.close();
      }));
  });

  tlsContract(harness);
}
