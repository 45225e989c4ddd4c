/** verify: what servers hold is read back, and what is damaged or missing is named. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { flip } from "../harness/folder.ts";
import { Stage } from "../harness/stage.ts";

setDefaultTimeout(60_000);

const FILES: Readonly<Record<string, Uint8Array>> = {
  large: randomBytes(9_000_001),
  small: randomBytes(3000),
  empty: new Uint8Array(),
};

/** The paths of a piece's files (from 1) on the servers that have it. */
async function filesOf(stage: Stage, name: string, piece: number): Promise<string[]> {
  const { version, servers } = await stage.stat(name);
  return stage.servers
    .filter((_, slot) => servers[slot]?.pieces.includes(piece))
    .map(({ folder }) => join(folder, "pieces", version.slice(0, 2), `${version}.${piece - 1}`));
}

describe.each(["pairs", "rs:2+2"])("%s", (layout) => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await Stage.open(4, { more: `Layout: ${layout}\n` });
    for (const [name, bytes] of Object.entries(FILES)) await stage.put(name, bytes);
  });
  afterAll(() => stage.close());

  test("all is good, and it is read on the servers, not sent", async () => {
    const { status, out, err } = await stage.dfs("verify");
    expect({ status, err }).toEqual({ status: 0, err: "" });
    expect(out).toMatch(/^3 files, \d+ pieces, 17 MiB read back, all good\n$/);
    const { out: json } = await stage.dfs("verify", "large", "--json");
    expect(JSON.parse(json)).toMatchObject({ files: 1, bytes: expect.any(Number), names: [] });
  });

  test("a sample is a share of it", async () => {
    const { status, out } = await stage.dfs("verify", "--sample", "1%", "--json");
    expect(status).toBe(0);
    expect((JSON.parse(out) as { bytes: number }).bytes).toBeLessThan(18_000_000);
    for (const share of ["5", "0%", "101%", "-1%", "x"])
      expect(await stage.dfs("verify", `--sample=${share}`)).toMatchObject({ status: 2, out: "" });
  });

  test("a name that is not there", async () => {
    const { out, status } = await stage.dfs("verify", "nothing");
    expect(out).toContain("nothing: there is no nothing");
    expect(status).toBe(3);
  });

  test("a flipped byte is found in the middle of a piece, and mended by repair", async () => {
    const [path = ""] = await filesOf(stage, "large", 2);
    flip(path, 2_000_000);
    const found = await stage.dfs("verify");
    expect(found.status).toBe(3);
    expect(found.out).toMatch(/large: piece 2 on DFS\d is damaged\n/);
    expect(found.out).toContain("1 piece damaged, run dfs-tool repair");
    // Its server knows now, and says so without another look.
    expect(await stage.dfs("verify", "--sample", "1%")).toMatchObject({ status: 3 });
    expect(await stage.dfs("repair")).toMatchObject({ status: 0 });
    expect(await stage.dfs("verify")).toMatchObject({ status: 0 });
  });

  test("a piece whose file is gone", async () => {
    const [path = ""] = await filesOf(stage, "large", 1);
    rmSync(path);
    expect((await stage.dfs("verify")).out).toMatch(/large: piece 1 on DFS\d is damaged\n/);
    await stage.dfs("repair");
    expect(await stage.dfs("verify")).toMatchObject({ status: 0 });
  });

  test("a server that is down", async () => {
    await stage.without([2], async () => {
      const { status, out } = await stage.dfs("verify");
      expect(status).toBe(3);
      expect(out).toMatch(/read back, 1 of 4 servers do not answer\n$/);
    });
  });

  test("a file that cannot be had any more", async () => {
    await stage.put("lost", FILES.large ?? new Uint8Array());
    for (const piece of [1, 2, 3])
      for (const path of await filesOf(stage, "lost", piece)) flip(path, 100_000);
    const { status, out } = await stage.dfs("verify");
    expect(status).toBe(13);
    expect(out).toContain("lost: too few good pieces are left\n");
    expect(out).toContain("1 file cannot be had");
    expect((await stage.dfs("get", "lost")).status).toBe(13);
    await stage.dfs("rm", "lost");
    expect(await stage.dfs("verify")).toMatchObject({ status: 0 });
  });
});
