/** Folders: what rm and stat say of them, whether or not the "/" at the end is typed. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { expectDone, Stage } from "../harness/stage.ts";

setDefaultTimeout(60_000);

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open(4);
});
afterAll(() => stage.close());

const notDeleted = (name: string, why: string) => ({
  status: 1,
  out: `${name} was not deleted\n`,
  err: `dfs-tool: ${why}; delete what is in it first\n`,
});

test("one that is not empty stays, with all that is in it, and rm says so", async () => {
  expectDone(await stage.dfs("mkdir", "t"));
  await stage.put("t/one", new Uint8Array(3));
  expect(await stage.dfs("rm", "t/")).toEqual(
    notDeleted("t/", "t/ is not empty: 1 name is in it, as t/one"),
  );
  await stage.put("t/two", new Uint8Array(3));
  for (const name of ["t", "t/"])
    expect(await stage.dfs("rm", name)).toEqual(
      notDeleted(name, "t/ is not empty: 2 names are in it, as t/one"),
    );
  expect((await stage.dfs("list", "t/")).out).toBe("t/\nt/one\nt/two\n");
  // Named beside all that is in it, it goes, in whatever order they are named.
  expectDone(await stage.dfs("rm", "t", "t/two", "t/one"));
  expect((await stage.dfs("list", "t/")).out).toBe("");
});

test("one that nobody made, and that is there for its files alone, is a folder as well", async () => {
  await stage.put("deep/er/file", new Uint8Array(3));
  for (const name of ["deep", "deep/", "deep/er"])
    expect(await stage.dfs("rm", name)).toMatchObject({ status: 1 });
  expectDone(await stage.dfs("rm", "deep/er/file"));
  expect(await stage.dfs("rm", "deep")).toEqual({
    status: 4,
    out: "",
    err: "dfs-tool: there is no deep\n",
  });
});

test("an empty one is found and deleted without the slash at its end", async () => {
  expectDone(await stage.dfs("mkdir", "e"));
  expect((await stage.dfs("stat", "e")).out).toContain("kind      folder");
  expectDone(await stage.dfs("rm", "e"));
  for (const verb of ["rm", "stat"])
    expect(await stage.dfs(verb, "e")).toMatchObject({
      status: 4,
      err: expect.stringMatching(/there is no e\n/),
    });
});

test("beside a file of its name the name alone is the file's", async () => {
  expectDone(await stage.dfs("mkdir", "both"));
  await stage.put("both", new Uint8Array(3));
  expectDone(await stage.dfs("rm", "both"));
  expect((await stage.dfs("list", "both")).out).toBe("both/\n");
  expectDone(await stage.dfs("rm", "both/"));
});
