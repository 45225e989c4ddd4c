/** cp and mv: what a copy costs, that each name keeps what it has, and that both survive what the original does. */
import { afterAll, afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { KIB } from "../../src/limits.ts";
import { isSealed } from "../harness/password.ts";
import { removeFolders } from "../harness/program.ts";
import { lineOf, usersFile } from "./computer.ts";
import { empty, expectDone, Stage, type StageOptions } from "../harness/stage.ts";

setDefaultTimeout(120_000);

let stage: Stage;
afterEach(() => stage.close());
afterAll(removeFolders);

const LARGE = randomBytes(8_000_003);
const SMALL = randomBytes(3000);
/** A copy of a file of any size moves less than this. */
const COPY_BYTES_MAX = 100 * KIB;

const open = async (): Promise<StageOptions> => ({});
const sealed = async (): Promise<StageOptions> => ({
  users: await usersFile({ alice: "a long password" }),
  more: lineOf("alice", "a long password"),
});

/** The bytes of the files of pieces on all servers. */
const pieceBytesOf = ({ servers }: Stage): number =>
  servers
    .flatMap(({ folder }) => {
      const pieces = join(folder, "pieces");
      return readdirSync(pieces, { recursive: true, encoding: "utf8" }).map((path) =>
        statSync(join(pieces, path)),
      );
    })
    .reduce((sum, found) => sum + (found.isFile() ? found.size : 0), 0);

/** Runs cp or mv, and returns how many bytes it moved. */
async function linked(...args: string[]): Promise<number> {
  const ran = await stage.dfs(...args, "--json");
  expectDone(ran);
  const { traffic } = JSON.parse(ran.out) as { traffic: { sent: number; received: number } };
  return traffic.sent + traffic.received;
}

async function expectBack(files: Readonly<Record<string, Buffer>>): Promise<void> {
  for (const [name, bytes] of Object.entries(files))
    expect((await stage.get(name)).equals(bytes)).toBe(true);
}

/** Each server has the pieces that belong to it, and no others. */
async function expectAtHome(): Promise<void> {
  const ran = await stage.dfs("repair", "--dry-run");
  expectDone(ran);
  expect(ran.out).toContain("nothing to repair");
}

// In the pass with a password all is sealed already.
const kinds: [string, () => Promise<StageOptions>][] = isSealed
  ? [["sealed", open]]
  : [
      ["in the open", open],
      ["sealed", sealed],
    ];
describe.each(kinds)("%s", (_, optionsOf) => {
  test("a copy moves no bytes, takes no room, and survives the loss of any server", async () => {
    stage = await Stage.open(4, await optionsOf());
    await stage.put("large", LARGE);
    await stage.put("small", SMALL);
    const before = pieceBytesOf(stage);
    expect(await linked("cp", "large", "of/large")).toBeLessThan(COPY_BYTES_MAX);
    expect(await linked("cp", "small", "of/")).toBeLessThan(COPY_BYTES_MAX);
    expect(await linked("mv", "large", "moved")).toBeLessThan(COPY_BYTES_MAX);
    expect(pieceBytesOf(stage)).toBe(before);
    const files = { moved: LARGE, "of/large": LARGE, small: SMALL, "of/small": SMALL };
    expect((await stage.dfs("list")).out).toBe("moved\nof/large\nof/small\nsmall\n");
    for (const slot of [0, 1, 2, 3]) await stage.without([slot], () => expectBack(files));
    expectDone(await stage.dfs("rm", "moved", "small"));
    expectDone(await stage.dfs("repair", "--orphan-age", "0"));
    await expectBack({ "of/large": LARGE, "of/small": SMALL });
    await expectAtHome();
  });

  test("repair brings home what each name held on a server that lost its folder", async () => {
    stage = await Stage.open(4, await optionsOf());
    await stage.put("one", LARGE);
    await stage.put("small", SMALL);
    await linked("cp", "one", "two");
    await linked("cp", "small", "small2");
    const server = stage.server(1);
    await server.kill();
    empty(server.folder);
    await server.start();
    expect((await stage.dfs("server", "replace", "DFS2")).status).toBe(0);
    expectDone(await stage.dfs("repair"));
    const files = { one: LARGE, two: LARGE, small: SMALL, small2: SMALL };
    await expectAtHome();
    for (const slot of [0, 2, 3]) await stage.without([slot], () => expectBack(files));
    expectDone(await stage.dfs("rm", "one", "small"));
    for (const slot of [0, 2, 3])
      await stage.without([slot], () => expectBack({ two: LARGE, small2: SMALL }));
  });
});

test("a copy while a server is down has all its copies, and goes home later", async () => {
  stage = await Stage.open(4);
  await stage.put("one", LARGE);
  await stage.put("small", SMALL);
  await stage.without([2], async () => {
    await linked("cp", "one", "two");
    await linked("mv", "small", "small2");
  });
  for (const slot of [0, 1, 3])
    await stage.without([slot], () => expectBack({ two: LARGE, small2: SMALL }));
  const before = pieceBytesOf(stage);
  expectDone(await stage.dfs("repair"));
  await expectAtHome();
  // The server that was away had the bytes already.
  expect(pieceBytesOf(stage)).toBe(before);
  await expectBack({ one: LARGE, two: LARGE, small2: SMALL });
});

test("a copy with parity has the layout of the original, and its pieces", async () => {
  stage = await Stage.open(4, { more: "Layout: rs:2+2\n" });
  await stage.put("one", LARGE);
  expect(await linked("cp", "one", "two")).toBeLessThan(COPY_BYTES_MAX);
  expectDone(await stage.dfs("rm", "one"));
  expect(await stage.stat("two")).toMatchObject({ layout: "rs:2+2", seq: 1 });
  await stage.without([0, 1], () => expectBack({ two: LARGE }));
  await stage.without([1, 3], () => expectBack({ two: LARGE }));
});

test("cp and mv replace what has the name, and a copy to itself is a new version", async () => {
  stage = await Stage.open(4);
  await stage.put("one", LARGE);
  await stage.put("other", SMALL);
  await linked("cp", "one", "other");
  expect(await stage.stat("other")).toMatchObject({ seq: 2, bytes: LARGE.length });
  expect(await linked("cp", "one", "one")).toBeLessThan(COPY_BYTES_MAX);
  expect(await stage.stat("one")).toMatchObject({ seq: 2 });
  // Whoever holds its pieces goes on to hold them, so one server less is enough.
  await stage.without([0], async () => {
    expect(await linked("cp", "one", "one")).toBeLessThan(COPY_BYTES_MAX);
  });
  await expectBack({ one: LARGE, other: LARGE });
  expectDone(await stage.dfs("repair"));
  await expectAtHome();
});

test("what cannot be copied or moved is said, and changes nothing", async () => {
  stage = await Stage.open(4);
  await stage.put("one", SMALL);
  expectDone(await stage.dfs("mkdir", "dir/"));
  for (const [args, status, line] of [
    [["cp", "missing", "two"], 4, "there is no missing"],
    [["mv", "missing", "two"], 4, "there is no missing"],
    [["mv", "one", "one"], 2, "one has this name already"],
    [["cp", "dir/", "two"], 2, "dir/ is a folder"],
    [["cp", "dir/", "two/"], 2, "dir/ is a folder"],
    [["cp", "one", "a\u009bb"], 2, "cannot be a new name"],
    [["cp", "one", "two", "three"], 2, "one argument too many"],
  ] as const) {
    const ran = await stage.dfs(...args);
    expect({ args, status: ran.status, out: ran.out }).toEqual({ args, status, out: "" });
    expect(ran.err).toContain(line);
  }
  await stage.without([0, 1], async () => {
    const ran = await stage.dfs("mv", "one", "two");
    expect(ran.status).toBe(7);
    expect(ran.err).toContain("nothing was changed");
  });
  expect((await stage.dfs("list")).out).toBe("dir/\none\n");
});
