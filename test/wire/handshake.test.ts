import { expect, test } from "bun:test";
import { concat } from "../../src/bytes.ts";
import { HELLO_FRAME_BYTES } from "../../src/limits.ts";
import { requestFrame } from "../../src/wire/frames.ts";
import { checkGreeting, checkHello, HELLO, PROTOCOL_VERSION } from "../../src/wire/handshake.ts";
import { versionOf, vidOf } from "../harness/arbitraries.ts";
import { errorOf } from "../harness/thrown.ts";

const greeting = {
  version: PROTOCOL_VERSION,
  release: "1.0.0",
  sid: vidOf(1),
  cluster: null,
  floor: 0n,
  config: null,
  register: { prom: 0n, acc: null, com: { ballot: 1n, version: versionOf({ vid: vidOf(2) }) } },
  now: { life: 1, mark: "0011223344556677" },
  known: [],
  isUnsettled: false,
  was: null,
};

test("the first bytes of a connection are what they always were", () => {
  const bytes = concat(requestFrame("hello", 1, { ...HELLO, user: "Alice" }));
  expect(bytes.toHex()).toBe(
    ["00000014", "01", "00000001", "444653f5", "0004", "00000005", "416c696365"].join(""),
  );
  expect(bytes.length).toBeLessThan(HELLO_FRAME_BYTES);
});

test("a server answers a client of its own version or a later one", () => {
  const hello = HELLO;
  expect(() => checkHello(hello)).not.toThrow();
  expect(() => checkHello({ ...hello, version: PROTOCOL_VERSION + 1 })).not.toThrow();
});

test("a server refuses what is no dfs-tool client, and one that is too old", () => {
  const hello = HELLO;
  const noClient = errorOf("protocol", () => checkHello({ ...hello, magic: 0x47455420 }));
  expect(noClient.message).toContain("no dfs-tool client");
  const old = errorOf("protocol", () => checkHello({ ...hello, version: PROTOCOL_VERSION - 1 }));
  expect(old.message).toContain("upgrade the client");
});

test("a client works with a server of its own version only, and names the other one", () => {
  expect(() => checkGreeting("dfs1", greeting)).not.toThrow();
  for (const version of [PROTOCOL_VERSION - 1, PROTOCOL_VERSION + 1]) {
    const error = errorOf("protocol", () => checkGreeting("dfs1", { ...greeting, version }));
    expect(error.message).toContain("dfs1");
  }
});
