/** Servers killed with SIGKILL: what survives, and what is refused without leaving a trace. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { newFolder, removeFolders } from "../harness/program.ts";
import { differences, expectDone, folderOf, Stage } from "../harness/stage.ts";

setDefaultTimeout(60_000);

const FILES = {
  large: randomBytes(1_500_003),
  small: randomBytes(3000),
  tiny: randomBytes(5),
};
const NAMES = Object.keys(FILES);
const slotsText = (slots: readonly number[]): string =>
  slots.map((slot) => `DFS${slot + 1}`).join(" and ");
const cases = (...all: number[][]) => all.map((slots) => [slotsText(slots), slots] as const);

let stage: Stage;
let folder = "";
beforeAll(async () => {
  stage = await Stage.open(4);
  folder = folderOf(FILES);
  expectDone(await stage.dfsIn(folder, "put", ...NAMES));
});
afterAll(async () => {
  await stage.close();
  removeFolders();
});

/** All that a user sees: the list, each file's content, and its version. */
async function whatIsThere() {
  const { out: list } = await stage.dfs("list", "--json");
  const back = newFolder();
  expectDone(await stage.dfsIn(back, "get", ...NAMES));
  expect(differences(NAMES, folder, back)).toEqual([]);
  const stats = await Promise.all(NAMES.map((name) => stage.stat(name)));
  return { list, stats };
}

describe("everything is as before", () => {
  test.each(cases([0], [1], [2], [3], [0, 2], [1, 3]))("without %s", async (_, slots) => {
    await stage.without(slots, async () => {
      expect(await stage.dfs("list")).toEqual({ status: 0, out: "large\nsmall\ntiny\n", err: "" });
      const back = newFolder();
      expect(await stage.dfsIn(back, "get", ...NAMES)).toEqual({ status: 0, out: "", err: "" });
      expect(differences(NAMES, folder, back)).toEqual([]);
    });
  });
});

describe("files are incomplete, and that is said", () => {
  const neighbours = cases([0, 1], [1, 2], [2, 3], [3, 0]);
  const three = cases([0, 1, 2], [1, 2, 3], [2, 3, 0], [3, 0, 1]);
  test.each([...neighbours, ...three])("without %s", async (_, slots) => {
    // Two can tell what is current, and lack pieces of it; one alone cannot tell.
    const expected = slots.length === 2 ? 6 : 5;
    const back = newFolder();
    writeFileSync(join(back, "small"), "there before");
    await stage.without(slots, async () => {
      const list = await stage.dfs("list");
      expect(list.out).toBe("large [incomplete]\nsmall [incomplete]\ntiny [incomplete]\n");
      expect(list.status).toBe(0);
      for (const name of ["large", "small"]) {
        const { status, out, err } = await stage.dfsIn(back, "get", name);
        expect({ status, out }).toEqual({ status: expected, out: `${name} is incomplete\n` });
        expect(err).toStartWith("dfs-tool: ");
      }
      const all = await stage.dfsIn(back, "get", ...NAMES);
      const lines = NAMES.map((name) => `${name} is incomplete\n`).join("");
      expect({ status: all.status, out: all.out }).toEqual({ status: expected, out: lines });
      // On stdout nothing comes that is not of the file.
      const toStdout = await stage.dfsIn(back, "get", "tiny", "-o", "-");
      expect(toStdout).toMatchObject({ status: expected, out: "" });
      expect(toStdout.err).toContain("tiny is incomplete\n");
    });
    expect(readdirSync(back)).toEqual(["small"]);
    expect(readFileSync(join(back, "small"), "utf8")).toBe("there before");
  });
});

test("without all four: exit status 5, or 7 of a put, with one clear line", async () => {
  const back = newFolder();
  writeFileSync(join(back, "small"), "there before");
  await stage.without([0, 1, 2, 3], async () => {
    const attempts = [["list"], ["get", "small"], ["stat", "small"], ["put", "small"]];
    for (const args of attempts) {
      const { status, out, err } = await stage.dfsIn(back, ...args);
      expect(err).toMatch(/^dfs-tool: (?:small: )?no server answers [^\n]*\n$/);
      const ends: Record<string, [status: number, line: string]> = {
        put: [7, "small put failed\n"],
        get: [5, "small is incomplete\n"],
      };
      const [expected, line] = ends[args[0] ?? ""] ?? [5, ""];
      expect({ args, status, out }).toEqual({ args, status: expected, out: line });
    }
  });
  expect(readdirSync(back)).toEqual(["small"]);
  expect(readFileSync(join(back, "small"), "utf8")).toBe("there before");
});

describe("a put fails, and changes nothing", () => {
  const two = cases([0, 1], [1, 2], [2, 3], [3, 0], [0, 2], [1, 3]);
  const three = cases([0, 1, 2], [1, 2, 3]);
  test.each([...two, ...three])("without %s", async (_, slots) => {
    const before = await whatIsThere();
    const newer = folderOf({
      large: randomBytes(900_000),
      small: randomBytes(100),
      fresh: randomBytes(400_000),
      "fresh-small": randomBytes(10),
    });
    await stage.without(slots, async () => {
      for (const name of readdirSync(newer)) {
        const { status, out, err } = await stage.dfsIn(newer, "put", name);
        expect({ status, out }).toEqual({ status: 7, out: `${name} put failed\n` });
        expect(err).toContain("nothing was changed");
      }
      const both = await stage.dfsIn(newer, "put", "large", "fresh");
      expect(both.status).toBe(7);
      expect(both.out).toBe("large put failed\nfresh put failed\n");
    });
    expect(await whatIsThere()).toEqual(before);
    const fresh = await stage.dfs("get", "fresh", "-o", join(newFolder(), "fresh"));
    expect(fresh.status).toBe(4);
  });
});
