/** Real files come back byte for byte; names that cannot be are refused. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import { linkSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { newFolder, removeFolders, run } from "../harness/program.ts";
import { differences, expectDone, folderOf, Stage } from "../harness/stage.ts";

setDefaultTimeout(60_000);

const modules = join(import.meta.dir, "../../node_modules");
const KIB = 1024;
const around = (bytes: number): number[] => [bytes - 1, bytes, bytes + 1];

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open(4);
});
afterAll(async () => {
  await stage.close();
  removeFolders();
});

/** Puts all files of a folder in one command, gets them in one, and returns those that are not the same. */
async function roundTrip(folder: string): Promise<string[]> {
  const names = readdirSync(folder);
  expectDone(await stage.dfsIn(folder, "put", "--", ...names));
  const back = newFolder();
  expectDone(await stage.dfsIn(back, "get", "--", ...names));
  expect(readdirSync(back).toSorted()).toEqual(names.toSorted());
  const different = differences(names, folder, back);
  rmSync(back, { recursive: true });
  return different;
}

describe("files come back byte for byte", () => {
  test("of all sizes round the bounds of blocks, pieces and chunks", async () => {
    // A file is cut into four, so what is a bound for a piece is one at four times the size too.
    const bounds = [16, 64, 256, 1024, 4096].flatMap((kib) => around(kib * KIB));
    const sizes = [0, 1, 2, 3, 4, 5, ...bounds];
    const files = Object.fromEntries(sizes.map((size) => [`size-${size}`, randomBytes(size)]));
    expect(await roundTrip(folderOf(files))).toEqual([]);
    const { out } = await stage.dfs("list", "--json", "size-");
    const listed = JSON.parse(out) as { name: string; bytes: number }[];
    expect(listed.map(({ bytes }) => bytes).toSorted((a, b) => a - b)).toEqual(sizes);
    // Each of them alone too, where nothing else is on the way.
    for (const size of [0, 1, 5]) {
      expect(await stage.get(`size-${size}`)).toEqual(files[`size-${size}`]!);
    }
  });

  test("of names with spaces, umlauts, emoji, a leading dash, 255 bytes", async () => {
    const names = [
      "two words and  more",
      " at both ends ",
      "äöüß ÄÖÜ ẞ",
      "a\u0308 is not ä",
      "🗄️ 👩‍👩‍👧 \u{1f3f4}\u{e0067}\u{e0062}.txt",
      "-dash",
      "--to",
      "--",
      `${"é".repeat(127)}x`,
      "x".repeat(255),
      `"double" and 'single'`,
      "back\\slash",
      "*?[a-z]{b}$HOME`ls`;&|",
      "#no comment",
      "100%41",
      "...",
      "..a",
      ".hidden",
      "日本語.txt",
      "name [incomplete]",
    ];
    const files = Object.fromEntries(names.map((name) => [name, randomBytes(1000)]));
    expect(await roundTrip(folderOf(files))).toEqual([]);
    const { out } = await stage.dfs("list");
    for (const name of names) expect(out.split("\n")).toContain(name);
  });

  test("of paths, up to 1,024 bytes", async () => {
    const component = "ü".repeat(127);
    const longest = `${`${component}/`.repeat(4)}${"x".repeat(4)}`;
    expect(Buffer.byteLength(longest)).toBe(1024);
    for (const name of ["a/b/c", "a b/-c/🗄️", longest]) {
      const bytes = randomBytes(70_000);
      await stage.put(name, bytes);
      expect(await stage.get(name)).toEqual(bytes);
      const folder = newFolder();
      expectDone(await stage.dfsIn(folder, "get", "--", name));
      expect(readdirSync(folder)).toEqual([basename(name)]);
    }
    expectDone(await stage.dfs("put", "--to", "below/this/", join(stage.home, "dfc.conf")));
    expect(await stage.get("below/this/dfc.conf")).toEqual(readFileSync(stage.config));
  });

  test("the Bun executable, of more than 100 MB", async () => {
    const path = join(modules, "bun/bin/bun.exe");
    const { size } = statSync(path);
    expect(size).toBeGreaterThan(100_000_000);
    expectDone(await stage.dfs("put", path));
    const folder = newFolder();
    expectDone(await stage.dfsIn(folder, "get", "bun.exe"));
    const digest = (file: string) => createHash("sha256").update(readFileSync(file)).digest("hex");
    expect(digest(join(folder, "bun.exe"))).toBe(digest(path));
    // It is to run again.
    expect(statSync(join(folder, "bun.exe")).mode & 0o777).toBe(statSync(path).mode & 0o777);
    rmSync(folder, { recursive: true });
  });

  test("a thousand files of a package in one put", async () => {
    const root = join(modules, "bun-types");
    const paths = readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1));
    expect(paths.length).toBeGreaterThan(1000);
    const folder = join(newFolder(), "flat");
    mkdirSync(folder);
    for (const path of paths) copy(join(root, path), join(folder, path.replaceAll("/", "__")));
    expect(new Set(readdirSync(folder)).size).toBe(paths.length);
    expect(await roundTrip(folder)).toEqual([]);
  });
});

/** A second name for a file, or its copy where the other folder is on another disk. */
function copy(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  try {
    linkSync(from, to);
  } catch {
    Bun.spawnSync(["cp", from, to]);
  }
}

describe("names that cannot be", () => {
  const BAD = [
    [".", /reserved/],
    ["", /empty/],
    ["a\nb", /control character/],
    [`x/${`${"x".repeat(250)}/`.repeat(4)}${"x".repeat(21)}`, /longer than 1024 bytes/],
    ["é".repeat(128), /longer than 255 bytes/],
  ] as const;

  test("are refused with a clear error, and nothing is stored", async () => {
    const before = (await stage.dfs("list")).out;
    for (const [name, why] of BAD) await refuse(name, why);
    expect((await stage.dfs("list")).out).toBe(before);
  });

  async function refuse(name: string, why: RegExp): Promise<void> {
    const cwd = folderOf({ file: randomBytes(10) });
    const attempts = [
      ["put", `--name=${name}`, "file"],
      ["get", "--", name],
      ["get", "-o", "out", "--", name],
      ["stat", "--", name],
    ];
    const refused = attempts.map(async (args) => {
      const { status, out, err } = await stage.dfsIn(cwd, ...args);
      expect(err).toMatch(/^dfs-tool: [^\n]* cannot be a name: [^\n]*\n/);
      expect(err).toMatch(why);
      expect({ args, status, out }).toEqual({ args, status: 2, out: "" });
    });
    await Promise.all(refused);
    expect(readdirSync(cwd)).toEqual(["file"]);
  }

  test("NUL, which only the shell can be given", async () => {
    const stdin = 'GET "a\0b"\nGET a\0b\n';
    const { status, out, err } = await run(["shell", "--config", stage.config], { stdin });
    expect(err.match(/cannot be a name: it has a control character/g)?.length).toBe(2);
    expect([status, out]).toEqual([2, ""]);
  });
});
