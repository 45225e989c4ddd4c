/** What the Net port's contract says of TLS; without it, that there is none. */
import { describe, expect, test } from "bun:test";
import { errorOf, type Harness, pattern } from "./harness.ts";
import { closeAll, CONNECT_MS, connected, listen } from "./pair.ts";

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** Declares it for one implementation. */
export function tlsContract(harness: Harness): void {
  describe(`${harness.name}: TLS of the net`, () => {
    test("with TLS both ends have the same binding and no other connection has it; else there is none", () =>
      harness.run(async (ports) => {
        const pairs = [await connected(ports), await connected(ports)];
        const bindings = pairs.map(({ client }) => client.binding && hexOf(client.binding));
        expect(pairs.map(({ server }) => server.binding && hexOf(server.binding))).toEqual(
          bindings,
        );
        if (ports.certificate) {
          expect(new Set(bindings).size).toBe(2);
          for (const binding of bindings) expect(binding).toHaveLength(64);
        } else expect(bindings).toEqual([null, null]);
        for (const pair of pairs) closeAll(pair);
      }));

    test("TLS with a peer that speaks none is down, and nobody hears of a peer without it", () =>
      harness.run(async (ports) => {
        const secure = ports.certificate !== null;
        let heard = 0;
        const listener = await listen(ports, (conn) => {
          if (secure) heard++;
          void conn.read().then(() => conn.close());
        });
        const opening = ports.clientNet.connect(ports.host, listener.port, CONNECT_MS, !secure);
        if (secure) {
          const conn = await opening;
          await conn.write(pattern(1000)).catch(() => {});
          while (await conn.read());
          conn.close();
        } else {
          const { message } = await errorOf("down", opening);
          expect(message).toContain("TLS");
        }
        expect(heard).toBe(0);
        listener.close();
      }));
  });
}
