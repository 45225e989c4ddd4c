/** What a ./dfc.conf may have done that nobody named, and which one is taken at all. */
import { afterAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { newFolder, removeFolders, run } from "../harness/program.ts";

afterAll(removeFolders);

const isRoot = process.getuid?.() === 0;
/** Nobody listens there. */
const SERVER = "Server A 127.0.0.1:1\n";

/** A folder with a dfc.conf that says this. */
function folderWith(text: string): string {
  const cwd = join(newFolder(), "sub");
  mkdirSync(cwd, { mode: 0o755 });
  writeFileSync(join(cwd, "dfc.conf"), text, { mode: 0o600 });
  return cwd;
}

const list = (cwd: string, env: Record<string, string> = {}, ...more: string[]) =>
  run(["list", ...more], { cwd, env: { HOME: "/", ...env } });

/** Once as it lies there, and once named. */
async function expectOnlyNamed(cwd: string, message: string): Promise<void> {
  const found = await list(cwd);
  expect(found).toMatchObject({ status: 2, out: "" });
  expect(found.err).toStartWith(`dfs-tool: ${message}`);
  expect(found.err).toContain("--config dfc.conf");
  expect(found.err.split("\n")).toHaveLength(2);
  for (const named of [
    list(cwd, {}, "--config", "dfc.conf"),
    list(cwd, { DFS_CONFIG: "dfc.conf" }),
  ])
    expect((await named).err).not.toContain(message);
}

describe("a dfc.conf that was only found", () => {
  test("is taken where it is the user's own", async () => {
    expect((await list(folderWith(SERVER))).status).toBe(5);
  });

  test.each([0o660, 0o602])("is not where others may write it, as %o", async (mode) => {
    const cwd = folderWith(SERVER);
    chmodSync(join(cwd, "dfc.conf"), mode);
    await expectOnlyNamed(cwd, "./dfc.conf can be written by others");
  });

  test("is not in a folder where all may write, unless nobody removes what is another's there", async () => {
    const cwd = folderWith(SERVER);
    chmodSync(cwd, 0o777);
    await expectOnlyNamed(cwd, "./dfc.conf is in a folder that all may write");
    chmodSync(cwd, 0o1777);
    expect((await list(cwd)).status).toBe(5);
  });

  test.skipIf(!isRoot)(
    "is not where it, its folder or a link to it is another user's",
    async () => {
      const cwd = folderWith(SERVER);
      chownSync(join(cwd, "dfc.conf"), 65_534, 65_534);
      await expectOnlyNamed(cwd, "./dfc.conf belongs to another user");
      chownSync(join(cwd, "dfc.conf"), 0, 0);
      chownSync(cwd, 65_534, 65_534);
      await expectOnlyNamed(cwd, "./dfc.conf is in a folder of another user");
    },
  );

  test("runs no command", async () => {
    const cwd = folderWith(`${SERVER}Username: x\nPasswordCommand: touch pwned; echo secret\n`);
    const found = await list(cwd);
    expect(found).toMatchObject({ status: 2, out: "" });
    expect(found.err).toContain("its PasswordCommand is not run");
    expect(existsSync(join(cwd, "pwned"))).toBe(false);
    expect((await list(cwd, {}, "--config", "dfc.conf")).status).toBe(5);
    expect(existsSync(join(cwd, "pwned"))).toBe(true);
  });

  test("runs its command where it lies in the user's home", async () => {
    const cwd = folderWith(`${SERVER}Username: x\nPasswordCommand: touch ran; echo secret\n`);
    expect((await list(cwd, { HOME: cwd })).status).toBe(5);
    expect(existsSync(join(cwd, "ran"))).toBe(true);
  });

  test("reads no password outside its folder, wherever a link leads", async () => {
    const cwd = folderWith(`${SERVER}Username: x\nPasswordFile: secret\n`);
    writeFileSync(join(cwd, "secret"), "word\n", { mode: 0o600 });
    expect((await list(cwd)).status).toBe(5);
    renameSync(join(cwd, "secret"), join(cwd, "../secret"));
    symlinkSync("../secret", join(cwd, "secret"));
    await expectOnlyNamed(cwd, "dfc.conf: its PasswordFile is in another folder");
  });
});

test("a named one that its group may write runs no command", async () => {
  const cwd = folderWith(`${SERVER}Username: x\nPasswordCommand: touch pwned; echo secret\n`);
  chmodSync(join(cwd, "dfc.conf"), 0o664);
  const ran = await list(cwd, {}, "--config", "dfc.conf");
  expect(ran).toMatchObject({ status: 2, out: "" });
  expect(ran.err).toContain("another user may have written it");
  expect(existsSync(join(cwd, "pwned"))).toBe(false);
});

test("a password for nobody is an error, for what is put would lie open", async () => {
  const ran = await list(folderWith(SERVER), { DFS_PASSWORD: "secret" });
  expect(ran).toEqual({
    status: 2,
    out: "",
    err: 'dfs-tool: $DFS_PASSWORD is set, and dfc.conf names no user: write a line "Username: NAME" there, or unset it\n',
  });
  expect((await list(folderWith(SERVER), { DFS_PASSWORD: "" })).status).toBe(5);
});
