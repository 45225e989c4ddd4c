/** The prompt: a session's lines from a pipe, and the folders of the store that names are taken from. */
import { afterAll, beforeAll, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { newFolder, type Ran, run } from "../harness/program.ts";
import { expectDone, Stage } from "../harness/stage.ts";

setDefaultTimeout(60_000);

let stage: Stage;
let cwd: string;
beforeAll(async () => {
  stage = await Stage.open(2);
});
afterAll(() => stage.close());

/** Each test has sub/1.txt and sub/2.txt, with 1.txt and 2.txt where it works. */
beforeEach(async () => {
  cwd = newFolder();
  writeFileSync(join(cwd, "1.txt"), "one");
  writeFileSync(join(cwd, "2.txt"), "two");
  expect(await session("MKDIR sub", "PUT 1.txt sub/", "PUT 2.txt sub")).toEqual(printed());
});

const session = (...lines: string[]): Promise<Ran> =>
  run(["shell"], { cwd, env: { DFS_CONFIG: stage.config }, stdin: `${lines.join("\n")}\n` });

const printed = (...lines: string[]) => {
  return { status: 0, err: "", out: lines.map((line) => `${line}\n`).join("") };
};

test("LIST takes a folder by any of its names, and GET and PUT one at their end", async () => {
  expect(await session("LIST sub/", "ls sub", "LIST nothing")).toEqual(
    printed("sub/", "sub/1.txt", "sub/2.txt", "sub/", "sub/1.txt", "sub/2.txt"),
  );
  for (const dir of ["", " .", " /", " sub/..", " ./"])
    expect(await session(`LIST${dir}`)).toEqual(printed("sub/", "sub/1.txt", "sub/2.txt"));
  rmSync(join(cwd, "1.txt"));
  expect(
    await session("GET 1.txt sub/", "PUT 1.txt 2.txt more/", "RM more/1.txt more/2.txt"),
  ).toEqual(printed());
  expect(readFileSync(join(cwd, "1.txt"), "utf8")).toBe("one");
});

test("a second word of PUT that is no folder is a name, as cp has it; three take a folder", async () => {
  expect(await session("PUT 1.txt other.txt", "LIST", "RM other.txt")).toEqual(
    printed("other.txt", "sub/", "sub/1.txt", "sub/2.txt"),
  );
  expect(await session("PUT 1.txt 2.txt 3.txt")).toMatchObject({
    status: 2,
    err: 'dfs-tool: several files go into a folder: end it with "/"\n',
  });
});

test("CD has names taken from a folder, and shown as they are typed there", async () => {
  await stage.put("docs/a", new Uint8Array(1));
  expect(await session("cd sub", "ls", "cd ..", "ls sub/")).toEqual(
    printed("./", "1.txt", "2.txt", "sub/", "sub/1.txt", "sub/2.txt"),
  );
  expect(
    await session(
      "CD /sub/",
      "PUT 1.txt 3.txt",
      "GET 3.txt",
      "RM 3.txt",
      "RM ../sub/2.txt",
      "LS",
      "LS ../docs",
    ),
  ).toEqual(printed("./", "1.txt", "/docs/a"));
  expect(await session("CD nowhere")).toMatchObject({
    status: 4,
    err: "dfs-tool: there is no folder nowhere\n",
  });
  expectDone(await stage.dfs("rm", "docs/a"));
});

test("RM, STAT, STATUS and HELP are those of the command line", async () => {
  const ran = await session("RM sub", "RM sub/1.txt sub/2.txt", "RM sub", "RM sub");
  expect(ran).toMatchObject({ status: 3, out: "sub was not deleted\n" });
  const [full, none] = ran.err.split("\n");
  expect(full).toStartWith("dfs-tool: sub/ is not empty: 2 names are in it");
  expect(none).toBe("dfs-tool: there is no sub");
  expect((await session("PUT 1.txt", "STAT 1.txt", "RM 1.txt")).out).toStartWith(
    "name      1.txt\n",
  );
  expect((await session("STATUS")).out).toContain("SERVER  STATE");
  expect((await session("STATSU")).err).toContain("; did you mean STATUS?");
});
