/** Pages of names from servers that agree, that do not, and that lie. */
import { Space } from "../../src/client/trust/space.ts";
import { describe, expect, test } from "bun:test";
import { encode } from "../../src/bytes.ts";
import type { Cluster } from "../../src/client/connect/cluster.ts";
import { quorumOf } from "../../src/quorum.ts";
import { Endless } from "../../src/client/trust/endless.ts";
import { decideByReports, isNothing, type Page, pagesIn } from "../../src/client/files/pages.ts";
import { type Outline, outlinesCodec } from "../../src/outline.ts";
import type { ReplyOf } from "../../src/wire/messages.ts";
import type { ListEntry } from "../../src/wire/values.ts";
import { vidOf } from "../harness/arbitraries.ts";
import { inStore } from "../harness/named.ts";

const outline = (n: number): Outline => ({
  put: 0,
  ballot: BigInt(n),
  vid: vidOf(n),
  deleted: false,
  pieces: 4,
  needed: 4,
  striped: false,
  size: n,
});
const bytesOf = (value: Outline | null): Uint8Array =>
  encode(outlinesCodec, { acc: value, com: value });
const entry = (name: string, some: Partial<ListEntry> = {}): ListEntry => ({
  name: inStore(name),
  damaged: false,
  others: false,
  values: bytesOf(outline(1)),
  here: [{ held: [0, 1], lacking: 0, astray: 0 }],
  ...some,
});

/** What each server answers, slot by slot, to who asks for what comes after a name. */
type Servers = readonly ((after: string) => ListEntry[])[];

/** All pages, of three names each; `log` gets what was asked for, and when a page was looked at. */
async function pagesOf(
  servers: Servers,
  log: string[] = [],
  { prefix = "", delimiter = "" }: { prefix?: string; delimiter?: string } = {},
) {
  const view = { quorum: quorumOf({ voters: [0, 1, 2, 3], next: null }) };
  const ask = async (_: "list", bodyFor: () => { after: string }) => {
    const { after } = bodyFor();
    log.push(`ask ${after}`);
    const replies = servers.map((all, slot): [number, ReplyOf<"list">] => {
      const entries = all(after).slice(0, 3);
      return [slot, { complete: true, entries, done: entries.length < 3 }];
    });
    return { replies: new Map(replies), view };
  };
  const cluster = {
    ask,
    endless: new Endless({ now: () => 0 }),
    space: new Space(""),
  } as unknown as Cluster;
  const pages: Page[] = [];
  for await (const page of pagesIn(cluster, prefix, false, { delimiter })) {
    log.push("look");
    pages.push(page);
  }
  return pages;
}

/** What comes after a name, and is not in the folder that was asked for last. */
const holding =
  (...entries: ListEntry[]) =>
  (after: string): ListEntry[] =>
    entries.filter(({ name }) => name > after && !(after.endsWith("/") && name.startsWith(after)));
const named = (text: string) => holding(...text.split("").map((name) => entry(name)));
const namesIn = (pages: readonly Page[]): string =>
  pages.flatMap(({ names }) => names.map(([name]) => name)).join("");
const answering = (pages: readonly Page[]): number[][] => pages.map((page) => [...page.answering]);

describe("the pages of several servers", () => {
  test("are merged, and go no further than the one that ends first", async () => {
    const pages = await pagesOf([named("abcdefg"), named("bdf"), named("abg"), named("")]);
    expect(namesIn(pages)).toBe("abcdefg");
    expect(pages[0]?.names.map(([name, said]) => [name as string, [...said.keys()]])).toEqual([
      ["a", [0, 2]],
      ["b", [0, 1, 2]],
      ["c", [0]],
    ]);
  });

  test("the next one is asked for before one is looked at", async () => {
    const log: string[] = [];
    const all = named("abcdefg");
    await pagesOf([all, all, all, all], log);
    expect(log).toEqual(["ask ", "ask c", "look", "ask f", "look", "look"]);
  });

  test.each([
    ["goes back", () => ["b", "a", "c"]],
    ["begins before what was asked for", () => ["", "b", "c"]],
    ["says a name twice", () => ["a", "b", "b"]],
    ["begins as others do, and then goes back", () => ["a", "c", "b"]],
    ["goes back to where others are", () => ["z", "b", "c"]],
    ["has nothing, and more to come", () => []],
  ])("one that %s does not count", async (what, names) => {
    const all = named("abc");
    const liar = (): ListEntry[] => names().map((name) => entry(name));
    const isEndless = what.startsWith("has nothing");
    const pages = await pagesOf([all, all, all, liar]);
    expect(namesIn(pages)).toBe("abc");
    if (!isEndless) expect(answering(pages)[0]).toEqual([0, 1, 2]);
  });
});

describe("levels of several servers", () => {
  const level = { delimiter: "/" };
  const tell = (pages: readonly Page[]) =>
    pages.flatMap(({ names }) =>
      names.map(([name, said, later]) => [name as string, [...said.keys()], later]),
    );
  const of = (...names: string[]) => holding(...names.map((name) => entry(name)));

  test("have the first name of each folder, and who begins it later", async () => {
    const servers = [of("a/1", "b", "c/2"), of("a/2", "b", "c/1"), of("b", "c/1"), of("a/1", "d")];
    expect(tell(await pagesOf(servers, [], level))).toEqual([
      ["a/1", [0, 3], [1]],
      ["b", [0, 1, 2], []],
      ["c/1", [1, 2], [0]],
      ["d", [3], []],
    ]);
  });

  test("go no further than the folder that the shortest page ends with", async () => {
    const long = of("a/1", "b/1", "c/1", "d/1", "e/1");
    const pages = await pagesOf([long, of("a/0", "c/0"), long, long], [], level);
    expect(pages.map(({ upTo }) => upTo)).toEqual(["c/", null]);
    expect(tell(pages).map(([name]) => name)).toEqual(["a/0", "b/1", "c/0", "d/1", "e/1"]);
  });

  test("are certain to lack a folder where enough servers have nothing of it", async () => {
    const servers = [of("a/1", "b/1", "c/1"), of("a/2", "b/1"), of("b/1"), of("a/1")];
    const [page] = await pagesOf(servers, [], level);
    expect(page!.names.map((one) => isNothing(page!, one))).toEqual([false, false, true]);
  });

  test.each([
    ["two names of one folder", ["a/1", "a/2"]],
    ["a name of a folder, and then what is in it", ["a/", "a/1"]],
    ["a name that does not begin as was asked for", ["e"]],
  ])("do not count with %s", async (_, names) => {
    const honest = of("a/1");
    const prefix = names[0] === "e" ? "a" : "";
    const pages = await pagesOf([honest, honest, honest, of(...names)], [], { ...level, prefix });
    expect(answering(pages)).toEqual([[0, 1, 2]]);
  });
});

describe("what servers say of a name", () => {
  const concluded = async (...said: Partial<ListEntry>[]) => {
    const pages = await pagesOf(said.map((some) => holding(entry("a", some))));
    const [page] = pages;
    const [, told] = page!.names[0]!;
    return decideByReports({ ...page!, reports: told });
  };

  test("is what each of them says, where they do not say the same", async () => {
    const newer = { values: bytesOf(outline(7)) };
    expect(await concluded({}, {}, {}, {})).toMatchObject({ is: "current", state: outline(1) });
    expect(await concluded({}, newer, {}, newer)).toMatchObject({ state: outline(7) });
    const pending = { values: encode(outlinesCodec, { acc: outline(7), com: outline(1) }) };
    expect(await concluded({}, pending, pending, { damaged: true })).toMatchObject({ is: "doubt" });
    expect(await concluded(pending, pending, pending, {})).toMatchObject({
      is: "current",
      state: outline(7),
    });
  });

  test("does not count where it cannot be read, or is damaged", async () => {
    const odd = { values: new Uint8Array([1, 2, 3]) };
    const damaged = { damaged: true };
    expect(await concluded(odd, {}, {}, {})).toMatchObject({ is: "current", state: outline(1) });
    expect(await concluded(odd, damaged, odd, {})).toMatchObject({ is: "tooFew" });
    expect((await concluded(odd, {}, damaged, {})).votes.size).toBe(2);
  });
});
