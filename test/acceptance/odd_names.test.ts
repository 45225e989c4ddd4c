/** Names that no file system would take: the store has them all, each apart from the others, and no file leaves its folder. */
import { inMemory } from "../../src/client/send/source.ts";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { get } from "../../src/client/files/get.ts";
import { list } from "../../src/client/files/list.ts";
import { put } from "../../src/client/files/put.ts";
import { remove } from "../../src/client/files/remove.ts";
import { stat } from "../../src/client/files/stat.ts";
import { PAIRS } from "../../src/file/layout.ts";
import { checkName, compareNames, storedAgain } from "../../src/file/names.ts";
import { named } from "../harness/named.ts";
import { newFolder, removeFolders } from "../harness/program.ts";
import { expectDone, Stage } from "../harness/stage.ts";
import { memorySink } from "../sim/contents.ts";
import { without } from "./in_process.ts";

setDefaultTimeout(120_000);

const NAMES = [
  "a",
  "a/",
  "a/b",
  "a//b",
  "a//",
  "a/./b",
  "a/../b",
  "/",
  "//",
  "/lead",
  "//lead",
  "..",
  "../",
  "../x",
  "./",
  "./x",
  "...",
  "a+b",
  "a%2Fb",
  "a%2fb",
  "a b",
  " ",
  "é",
  "e\u0301",
  "日本",
  "日本/😀",
  "a\\b",
  "a\\",
  '"<>^{}',
  "'$(x)`&;|?*",
  "#",
  "-",
  "--",
  "a\u2028b",
  ".dfsx",
  "x/.dfs/y",
  "c".repeat(255),
  `k/${"c".repeat(1024)}`,
  `k/${"日".repeat(341)}`,
  `${"c".repeat(255)}/${"d/".repeat(512)}`,
];

/** Of which every command is tried by the command line. */
const SOME = [
  "a",
  "a/",
  "a/b",
  "a//b",
  "..",
  "./x",
  "/lead",
  "a+b",
  "a%2Fb",
  "é",
  "日本",
  "a\\b",
  "/",
];

const contentOf = (name: string): Buffer => Buffer.from(`the content of ${name}`);
const byBytes = (names: readonly string[]): string[] => [...names].sort(compareNames);
const HOW = { layout: PAIRS, placement: "name" } as const;

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open(3);
  for (const name of SOME) await storeAs(name);
  await without(stage, [], async (cluster) => {
    for (const name of NAMES.filter((one) => !SOME.includes(one)))
      await put(cluster, named(name), inMemory(contentOf(name)), HOW);
  });
});
afterAll(async () => {
  await stage.close();
  removeFolders();
});

async function storeAs(name: string): Promise<void> {
  const path = join(newFolder(), "file");
  writeFileSync(path, contentOf(name));
  expectDone(await stage.dfs("put", `--name=${name}`, "--", path));
}

async function listed(...prefix: string[]): Promise<string[]> {
  const ran = await stage.dfs("list", "--", ...prefix);
  expectDone(ran);
  return ran.out.split("\n").slice(0, -1);
}

describe("each is a name of its own", () => {
  test("a list has them all, in the order of their bytes", async () => {
    expect(await listed()).toEqual(byBytes(NAMES));
    const { out } = await stage.dfs("list", "--json");
    const names = (JSON.parse(out) as { name: string }[]).map(({ name }) => name);
    expect(names).toEqual(byBytes(NAMES));
  });

  test("a list of what begins with a prefix has just that", () =>
    without(stage, [], async (cluster) => {
      const folders = ["a/", "a//", "/", "//", "./", "../", "s//", "k/c", "none/"];
      const long = ["c".repeat(30_000), `x/${"/".repeat(2000)}`, "a\n", "\ud83d"];
      for (const prefix of ["", ".", "..", "a", "a\\", "日", ...folders, ...long]) {
        const names: string[] = [];
        for await (const { name } of list(cluster, prefix)) names.push(name);
        expect(names).toEqual(byBytes(NAMES.filter((name) => name.startsWith(prefix))));
      }
    }));

  test("each comes back", () =>
    without(stage, [], async (cluster) => {
      for (const name of NAMES) {
        const sink = memorySink(false);
        await get(cluster, named(name), sink, {});
        expect(Buffer.from(sink.data).toString()).toBe(contentOf(name).toString());
      }
    }));

  test("get, stat and verify find them", async () => {
    for (const name of SOME) expect(await stage.get(name)).toEqual(contentOf(name));
    for (const name of ["a//b", "/", "..", "a/"])
      expect(await stage.stat(name)).toMatchObject({ name, incomplete: false });
    const { status, out } = await stage.dfs("verify", "--json", "--", "a//b", "/", "a/");
    expect([status, JSON.parse(out)]).toEqual([
      0,
      expect.objectContaining({ files: 3, names: [] }),
    ]);
  });

  test("the one with the longest sealed form too", () =>
    without(stage, [], async (cluster) => {
      const name = named(`${"s".repeat(255)}/${"/".repeat(1024)}`);
      await put(cluster, name, inMemory(contentOf(name)), HOW);
      const names: string[] = [];
      for await (const entry of list(cluster, "s")) names.push(entry.name);
      expect(names).toEqual([name]);
      expect(await stat(cluster, name)).toMatchObject({ isIncomplete: false });
      await remove(cluster, name);
    }));
});

describe("on this disk", () => {
  test("the last component counts, and where it is no file name the file goes nowhere", async () => {
    const top = newFolder();
    const folder = join(top, "x/y");
    mkdirSync(folder, { recursive: true });
    for (const name of ["..", "a//", "/", "../", "./", "a/", `k/${"c".repeat(1024)}`]) {
      const { status, out, err } = await stage.dfsIn(folder, "get", "--", name);
      expect([status, out]).toEqual([2, ""]);
      expect(err.trimEnd().split("\n")[0]).toMatch(/^dfs-tool: .*-o FILE$/);
    }
    // A good one beside them is had.
    const { status } = await stage.dfsIn(folder, "get", "--", "..", "a/../b", "../x", "//lead");
    expect(status).toBe(3);
    for (const name of ["./x", "/lead", "a\\b"])
      expectDone(await stage.dfsIn(folder, "get", "--to", ".", "--", name));
    expect(readdirSync(folder).sort()).toEqual(["a\\b", "b", "lead", "x"]);
    expect(readdirSync(join(top, "x"))).toEqual(["y"]);
    expect(readFileSync(join(folder, "b"), "utf8")).toBe("the content of a/../b");
    expect(existsSync("/lead")).toBe(false);
  });

  test("an odd file is put under its own name, or not at all", async () => {
    const folder = newFolder();
    for (const name of ["x\\y", "...", "-", " z ", "q\u2028"]) {
      writeFileSync(join(folder, name), name);
      expectDone(await stage.dfsIn(folder, "put", "--to", "odd", "--", `./${name}`));
    }
    expect(await listed("odd/")).toEqual(
      byBytes(["odd/x\\y", "odd/...", "odd/-", "odd/ z ", "odd/q\u2028"]),
    );
    for (const bad of ["l\nf", "c\u009b", ".dfs"]) {
      writeFileSync(join(folder, bad), "");
      const { status, err } = await stage.dfsIn(folder, "put", "--", bad);
      expect(status).toBe(2);
      expect(err.split("\n")[0]).toMatch(/^dfs-tool: ".*" cannot be a (new )?name: /);
    }
    symlinkSync(folder, join(folder, "link"));
    for (const dir of [".", "..", "/", "./", "link", "link/.."]) {
      const { status, err } = await stage.dfsIn(folder, "put", "--", dir);
      expect([status, err]).toEqual([
        1,
        expect.stringContaining("is a folder; name the files in it"),
      ]);
    }
    expectDone(await stage.dfs("rm", "--", ...(await listed("odd/"))));
  });
});

describe("a file whose name ends in a slash", () => {
  test("is no folder: mkdir leaves it, its name without the slash is another, rm takes it alone", async () => {
    expect(await stage.dfs("mkdir", "a/")).toMatchObject({ status: 11 });
    expect(await stage.get("a/")).toEqual(contentOf("a/"));
    await storeAs("only/");
    for (const verb of ["stat", "rm", "get"])
      expect(await stage.dfs(verb, "only")).toMatchObject({ status: 4 });
    await storeAs("only/below");
    expectDone(await stage.dfs("rm", "only/"));
    expect(await listed("only")).toEqual(["only/below"]);
    expectDone(await stage.dfs("rm", "only/below"));
  });

  test("takes the place of a folder that was made, and mkdir of a folder that is there is well", async () => {
    for (let i = 0; i < 2; i++) expectDone(await stage.dfs("mkdir", "made//"));
    expect(await stage.dfs("get", "made//", "-o", "f")).toMatchObject({
      status: 2,
      err: expect.stringContaining("made// is a folder"),
    });
    await storeAs("made//");
    expect(await stage.get("made//")).toEqual(contentOf("made//"));
    expectDone(await stage.dfs("rm", "made//"));
  });
});

describe("what is not allowed", () => {
  test("is refused in one line before anything is sent", async () => {
    const long = [`a/${"c".repeat(1025)}`, "c".repeat(256)];
    for (const name of ["", ".", "a\u009bb", ".dfs", ".dfs/keys/x", ...long]) {
      const { status, out, err } = await stage.dfs("put", `--name=${name}`, "--", "/dev/null");
      expect([status, out]).toEqual([2, ""]);
      expect(err).toMatch(/^dfs-tool: .*\n(Try .*\n)?$/);
    }
  });

  test("a name of before, with a C1 character, is listed, had and removed; a new one is not made", async () => {
    const old = "old\u009b/\u0085";
    const source = inMemory(contentOf(old));
    await without(stage, [], (cluster) => put(cluster, storedAgain(checkName(old)), source, HOW));
    expect<string[]>(await listed("old")).toEqual([old]);
    expect(await stage.get(old)).toEqual(contentOf(old));
    expect(await stage.dfs("put", `--name=${old}`, "--", "/dev/null")).toMatchObject({ status: 2 });
    expectDone(await stage.dfs("rm", "--", old));
    expect(await listed("old")).toEqual([]);
  });
});

test("all go again, those that end in a slash while there are names below them", async () => {
  const [folders, files] = [true, false].map((ends) =>
    NAMES.filter((name) => name.endsWith("/") === ends),
  );
  expectDone(await stage.dfs("rm", "--", ...(folders ?? [])));
  expect(await listed()).toEqual(byBytes(files ?? []));
  expectDone(await stage.dfs("rm", "--", ...(files ?? [])));
  expect(await listed()).toEqual([]);
});
