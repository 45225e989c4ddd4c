/** Attributes: what put stores beside the bytes, what stat shows of it, and what get does with it. */
import { inMemory } from "../../src/client/send/source.ts";
import { named } from "../harness/named.ts";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { get } from "../../src/client/files/get.ts";
import { makeFolder, put } from "../../src/client/files/put.ts";
import {
  type Attributes,
  attributesOf,
  type Known,
  NO_ATTRIBUTES,
  PREFIXES,
} from "../../src/file/attributes.ts";
import { PAIRS } from "../../src/file/layout.ts";
import { ATTRIBUTES_BYTES } from "../../src/limits.ts";
import { newFolder, removeFolders } from "../harness/program.ts";
import { expectDone, Stage } from "../harness/stage.ts";
import { rejectionOf } from "../harness/thrown.ts";
import { without } from "./in_process.ts";

setDefaultTimeout(60_000);

const OPTIONS = { layout: PAIRS, placement: "name" } as const;
const TEXT = new TextEncoder().encode("text");
const nowhere = { inOrder: false, open: async () => {}, write: async () => {} };

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open(4);
});
afterAll(async () => {
  await stage.close();
  removeFolders();
});

const store = (name: string, attributes: Attributes, bytes = TEXT) =>
  without(stage, [], (cluster) =>
    put(cluster, named(name), { ...inMemory(bytes), attributes }, OPTIONS),
  );

interface Shown {
  readonly modified: string | null;
  readonly folder: boolean;
  readonly attributes: Record<string, unknown>;
}
async function shownOf(name: string): Promise<Shown> {
  const { out } = await stage.dfs("stat", "--json", name);
  const { modified, folder, attributes } = JSON.parse(out) as Shown;
  return { modified, folder, attributes };
}
const linesOf = async (name: string): Promise<string[]> =>
  (await stage.dfs("stat", name)).out.split("\n");

describe("a put of a command", () => {
  test("stores time, mode and by whom", async () => {
    const path = join(newFolder(), "file");
    writeFileSync(path, TEXT, { mode: 0o640 });
    expect(Bun.spawnSync(["touch", "-d", "@1700000000.123456789", path]).success).toBe(true);
    expectDone(await stage.dfs("put", path));
    expect(await shownOf("file")).toEqual({
      modified: "2023-11-14T22:13:20.123Z",
      folder: false,
      attributes: { time: "1700000000123456789", mode: "0640", by: "command" },
    });
    const lines = await linesOf("file");
    expect(lines).toContain("kind      file");
    expect(lines).toContain("mode      0640");
    expect(lines).toContain("by        command");
  });

  test("of a folder too", async () => {
    expectDone(await stage.dfs("mkdir", "made/"));
    const { modified, folder, attributes } = await shownOf("made/");
    const time = expect.stringMatching(/^\d{19}$/);
    expect(attributes).toEqual({ time, mode: "0755", by: "command", kind: "folder" });
    expect([folder, modified?.slice(0, 2)]).toEqual([true, "20"]);
  });
});

describe("a time comes back", () => {
  /** As near as the runtime can set it. */
  const NEAR_NS = 120n;

  test.each([
    ["1700000000.123456789", 1_700_000_000_123_456_789n],
    ["1700000000.999999999", 1_700_000_000_999_999_999n],
    ["1700000000.603", 1_700_000_000_603_000_000n],
    ["0", 0n],
    ["-0.000000001", -1n],
    ["-1.5", -1_500_000_000n],
    ["-1000000000.123456789", -1_000_000_000_123_456_789n],
  ])("that was %s", async (when, ns) => {
    const folder = newFolder();
    const path = join(folder, "timed");
    writeFileSync(path, "x");
    expect(Bun.spawnSync(["touch", "-d", `@${when}`, path]).success).toBe(true);
    expect(statSync(path, { bigint: true }).mtimeNs).toBe(ns);
    expectDone(await stage.dfs("put", path));
    expect((await shownOf("timed")).attributes["time"]).toBe(String(ns));
    expectDone(await stage.dfsIn(folder, "get", "timed"));
    const off = statSync(path, { bigint: true }).mtimeNs - ns;
    expect(off >= -NEAR_NS && off <= NEAR_NS).toBe(true);
    if (ns % 1_000_000n === 0n) expect(off).toBe(0n);
  });
});

test("what is well known and what is not is stored, shown and told", async () => {
  const known: Known = { time: -1n, type: "text/plain", etag: "abc-1", tags: "a=b" };
  const attributes = attributesOf(
    known,
    new Map([
      [`${PREFIXES.meta}owner`, new TextEncoder().encode("Zoë")],
      [`${PREFIXES.sum}sha256`, new Uint8Array(32).fill(0xff)],
      ["evil", new TextEncoder().encode("\u001b[31m\nred")],
    ]),
  );
  await store("object", attributes);
  expect(await shownOf("object")).toEqual({
    modified: "1969-12-31T23:59:59.999Z",
    folder: false,
    attributes: {
      time: "-1",
      type: "text/plain",
      etag: "abc-1",
      tags: "a=b",
      "meta:owner": "Zoë",
      "sum:sha256": { base64: `${"/".repeat(42)}8=` },
      evil: "\u001b[31m\nred",
    },
  });
  const lines = await linesOf("object");
  expect(lines).toContain("type        text/plain");
  expect(lines).toContain("meta:owner  Zoë");
  expect(lines).toContain("sum:sha256  32 bytes that are no text");
  expect(lines).toContain("evil        \\u001b[31m\\u000ared");
  await without(stage, [], async (cluster) => {
    const found = await get(cluster, named("object"), nowhere, {});
    expect(found.attributes).toEqual(attributes);
  });
});

test("a file without any can be had, and its time is not known", async () => {
  await store("bare", NO_ATTRIBUTES);
  expect(await shownOf("bare")).toEqual({ modified: null, folder: false, attributes: {} });
  expect(await linesOf("bare")).toContain("modified  not known");
  const folder = newFolder();
  expectDone(await stage.dfsIn(folder, "get", "bare"));
  const { mode, mtime } = statSync(join(folder, "bare"));
  expect([mode & 0o777, mtime.getFullYear() > 2020]).toEqual([0o666 & ~process.umask(), true]);
});

test("a link is stored and shown, and get writes nothing", async () => {
  await store("link", attributesOf({ kind: "link", target: "../else where" }), new Uint8Array());
  const shown = await shownOf("link");
  expect(shown.attributes).toEqual({ kind: "link", target: "../else where" });
  expect(await linesOf("link")).toContain("kind      link to ../else where");
  const folder = newFolder();
  for (const where of [[], ["-o", "out"], ["-o", "-"]])
    expect(await stage.dfsIn(folder, "get", "link", ...where)).toEqual({
      status: 2,
      out: "",
      err: "dfs-tool: link is a symbolic link to ../else where, and get writes files\n",
    });
  expect(readdirSync(folder)).toEqual([]);
});

test("attributes that no version can have are refused, and nothing is stored", async () => {
  const wrong: Attributes[] = [
    new Map([["", TEXT]]),
    new Map([["time", TEXT]]),
    new Map([["a", new Uint8Array(ATTRIBUTES_BYTES)]]),
    attributesOf({ kind: "link" }),
  ];
  await without(stage, [], async (cluster) => {
    for (const attributes of wrong) {
      await rejectionOf(
        "usage",
        put(cluster, named("refused"), { ...inMemory(TEXT), attributes }, OPTIONS),
      );
    }
    await rejectionOf(
      "usage",
      makeFolder(cluster, named("refused/"), attributesOf({ target: "elsewhere" })),
    );
  });
  expect((await stage.dfs("list", "refused")).out).toBe("");
});
