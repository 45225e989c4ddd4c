/** Which server holds which piece: exactly what the mission's table says, for any number of servers. */
import { afterAll, afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { newFolder, removeFolders } from "../harness/program.ts";
import { writeOwned } from "../harness/password.ts";
import { configOf, expectDone, Stage } from "../harness/stage.ts";

setDefaultTimeout(60_000);

let stage: Stage | null = null;
afterEach(async () => {
  await stage?.close();
  stage = null;
});
afterAll(removeFolders);

function inOrder(pieces: number[]): number[] {
  return pieces.toSorted((a, b) => a - b);
}

/** The table of docs/design.md section 2: for each x, the pieces of DFS1 to DFS4. */
const TABLE = [
  ["1,2", "2,3", "3,4", "4,1"],
  ["4,1", "1,2", "2,3", "3,4"],
  ["3,4", "4,1", "1,2", "2,3"],
  ["2,3", "3,4", "4,1", "1,2"],
].map((row) => row.map((pieces) => inOrder(pieces.split(",").map(Number))));

/** The rule above the table: what server i (from 0) of y holds, at rotation x. */
function piecesOf(i: number, x: number, y: number): number[] {
  const mod = (n: number): number => ((n % y) + y) % y;
  return inOrder([...new Set([mod(i - x) + 1, mod(i - x + 1) + 1])]);
}

const rowOf = (x: number, y: number): number[][] =>
  Array.from({ length: y }, (_, i) => piecesOf(i, x, y));

/** MD5 read as one big-endian number, mod y: the mission's definition, and none of the program's code. */
const hashMod = (bytes: string | Uint8Array, y: number): number =>
  Number(BigInt(`0x${createHash("md5").update(bytes).digest("hex")}`) % BigInt(y));

const upTo = (y: number): number[] => Array.from({ length: y }, (_, x) => x);

/** A name of rotation x. */
function nameOf(x: number, y: number): string {
  for (let i = 0; ; i++) if (hashMod(`file ${i}`, y) === x) return `file ${i}`;
}

/** A content of rotation x. */
function contentOf(x: number, y: number, bytes: number): Buffer {
  for (;;) {
    const content = randomBytes(bytes);
    if (hashMod(content, y) === x) return content;
  }
}

/** The pieces, from 1, of a version that lie as files in the folder of a server. */
function pieceFiles(folder: string, version: string): number[] {
  const paths = readdirSync(join(folder, "pieces"), { recursive: true, encoding: "utf8" });
  const names = paths.map((path) => basename(path)).filter((name) => name.startsWith(version));
  return inOrder(names.map((name) => Number(name.split(".")[1]) + 1));
}

test("the rule and the table are the same", () => {
  expect(upTo(4).map((x) => rowOf(x, 4))).toEqual(TABLE);
});

describe("x from the name", () => {
  test.each([1, 2, 3, 4, 5, 7])("with %i servers", async (y) => {
    stage = await Stage.open(y);
    for (const x of upTo(y)) {
      // Small pieces lie in the catalog, large ones are files.
      for (const bytes of [100, y * 20_000]) {
        await stage.put(nameOf(x, y), randomBytes(bytes));
        const stat = await stage.stat(nameOf(x, y));
        const servers = rowOf(x, y).map((pieces, i) => ({ name: `DFS${i + 1}`, up: true, pieces }));
        expect(stat).toMatchObject({ x, bytes, incomplete: false, servers });
        if (bytes === 100) continue;
        const onDisk = stage.servers.map(({ folder }) => pieceFiles(folder, stat.version));
        expect(onDisk).toEqual(rowOf(x, y));
      }
    }
  });
});

describe("x from the content, with Placement: content", () => {
  test.each([3, 4])("with %i servers", async (y) => {
    stage = await Stage.open(y, { more: "Placement: content\n" });
    for (const x of upTo(y)) {
      for (const bytes of [100, 600_000]) {
        await stage.put("same name", contentOf(x, y, bytes));
        const { servers, ...stat } = await stage.stat("same name");
        expect(stat).toMatchObject({ x, bytes, incomplete: false });
        expect(servers.map(({ pieces }) => pieces)).toEqual(rowOf(x, y));
      }
    }
  });

  test("a client that places by name reads and overwrites it", async () => {
    stage = await Stage.open(4, { more: "Placement: content\n" });
    const name = nameOf(1, 4);
    const old = contentOf(2, 4, 300_000);
    await stage.put(name, old);
    const byName = join(newFolder(), "by-name.conf");
    writeOwned(byName, configOf(stage.servers));
    const file = join(newFolder(), "file");
    expectDone(await stage.dfs("get", "--config", byName, "-o", file, name));
    expect(await Bun.file(file).bytes()).toEqual(new Uint8Array(old));
    expectDone(await stage.dfs("put", "--config", byName, "--name", name, file));
    expect((await stage.stat(name)).x).toBe(1);
    expect(await stage.get(name)).toEqual(old);
  });
});
