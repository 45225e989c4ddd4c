/** Where get writes to on this machine: files, folders, links, streams; and that their times come back. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  existsSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { executable, newFolder, removeFolders } from "../harness/program.ts";
import { expectDone, Stage } from "../harness/stage.ts";

setDefaultTimeout(60_000);

const TIME = new Date("2001-09-09T01:46:40.123Z");
const KEPT = { encoding: "utf8" } as const;

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open(4);
  const folder = newFolder();
  writeFileSync(join(folder, "f"), "data\n", { mode: 0o640 });
  utimesSync(join(folder, "f"), TIME, TIME);
  expectDone(await stage.dfsIn(folder, "put", "f"));
  for (const name of ["dir/-", "dir/g"])
    expectDone(await stage.dfsIn(folder, "put", "f", "--name", name));
});
afterAll(async () => {
  await stage.close();
  removeFolders();
});

/** Runs a line of sh, in which $D is the program. */
async function shell(cwd: string, line: string) {
  const env = { PATH: process.env.PATH ?? "", HOME: cwd, DFS_CONFIG: stage.config, D: executable };
  const child = Bun.spawn(["sh", "-c", line], { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  const texts = [new Response(child.stdout).text(), new Response(child.stderr).text()];
  const [status, out, err] = await Promise.all([child.exited, ...texts]);
  return { status, out, err };
}

describe("times", () => {
  test("come back, with the mode, unless they are not wanted", async () => {
    const folder = newFolder();
    expectDone(await stage.dfsIn(folder, "get", "f"));
    const info = statSync(join(folder, "f"));
    expect([info.mtime, info.mode & 0o777]).toEqual([TIME, 0o640 & ~process.umask()]);
    expectDone(await stage.dfsIn(folder, "get", "--no-times", "f"));
    expect(statSync(join(folder, "f")).mtime.getFullYear()).toBeGreaterThan(2020);
  });

  test.each([
    ["-1", "1969-12-31T23:59:59.000Z"],
    ["-0.5", "1969-12-31T23:59:59.500Z"],
    ["1960-01-01 UTC", "1960-01-01T00:00:00.000Z"],
    ["1000000000.1239", "2001-09-09T01:46:40.123Z"],
    ["8640000000001", "2262-04-11T23:47:16.854Z"],
    ["99999999999999", "2262-04-11T23:47:16.854Z"],
    ["-9999999999", "1677-09-21T00:12:43.145Z"],
  ])("of %s are stored as %s, and shown", async (when, shown) => {
    // A disk that takes any.
    const path = `/dev/shm/dfs-times-${process.pid}`;
    try {
      writeFileSync(path, "x");
      expect(
        Bun.spawnSync(["touch", "-d", /^-?[\d.]+$/.test(when) ? `@${when}` : when, path]).success,
      ).toBe(true);
      expectDone(await stage.dfs("put", path, "--name", "timed"));
      expect((await stage.dfs("stat", "timed")).out).toContain(`modified  ${shown}\n`);
      expect(JSON.parse((await stage.dfs("stat", "--json", "timed")).out).modified).toBe(shown);
      expectDone(await stage.dfs("get", "timed", "-o", path));
    } finally {
      Bun.spawnSync(["rm", "-f", path]);
    }
  });
});

describe("stdout", () => {
  test("is for -o - only: a name that ends in - is a file", async () => {
    const folder = newFolder();
    expect(await stage.dfsIn(folder, "get", "dir/-")).toEqual({ status: 0, out: "", err: "" });
    expect(readFileSync(join(folder, "-"), KEPT)).toBe("data\n");
    const { out } = await stage.dfsIn(folder, "get", "--json", "dir/-", "f");
    expect(JSON.parse(out).files).toHaveLength(2);
  });

  test.each(["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])(
    "as %s goes on where it is",
    async (path) => {
      const folder = newFolder();
      const line = `{ echo header; $D get -o ${path} f; echo footer; } > mix; $D get -o ${path} f >> mix`;
      expect(await shell(folder, line)).toEqual({ status: 0, out: "", err: "" });
      expect(readFileSync(join(folder, "mix"), KEPT)).toBe("header\ndata\nfooter\ndata\n");
      const json = await stage.dfsIn(folder, "get", "--json", "-o", path, "f");
      expect([json.status, json.out]).toEqual([2, ""]);
    },
  );

  test("is one descriptor of several; one that is not open is refused", async () => {
    const folder = newFolder();
    const line = `$D get -o /dev/fd/7 f 7>seven && ln -s /dev/fd/8 link && $D get -o link f 8>eight`;
    expect(await shell(folder, line)).toEqual({ status: 0, out: "", err: "" });
    for (const name of ["seven", "eight"])
      expect(readFileSync(join(folder, name), KEPT)).toBe("data\n");
    // The runtime has means of its own at these numbers.
    for (const number of [3, 4, 5, 9]) {
      const { status, err } = await stage.dfsIn(folder, "get", "-o", `/dev/fd/${number}`, "f");
      expect(status).toBe(2);
      expect(err).toContain(`/dev/fd/${number} is not open`);
    }
  });
});

describe("folders", () => {
  test.each([
    ["-o", "into/"],
    ["--to", "into"],
  ])("that %s %s names get the files", async (flag, path) => {
    const folder = newFolder();
    mkdirSync(join(folder, "into"));
    expectDone(await stage.dfsIn(folder, "get", flag, path, "f", "dir/g"));
    expect(readdirSync(join(folder, "into")).toSorted()).toEqual(["f", "g"]);
  });

  test.each([
    [["-o", "none/", "f"], "none/: there is no such folder; make it with: mkdir -p none/"],
    [["--to", "none", "f"], "none: there is no such folder; make it with: mkdir -p none"],
    [["-o", "", "f"], "-o needs a path; it is empty"],
    [["-o", "a", "--to", "b", "f"], "-o and --to exclude each other; leave out one"],
    [["-o", "a", "f", "dir/g"], "-o is for a single name"],
    [["f", "f"], "f is named twice"],
    [["dir/"], "dir/ is a folder; name the files in it"],
  ])("get %j says what is wrong", async (args, message) => {
    const { status, err } = await stage.dfsIn(newFolder(), "get", ...args);
    expect(status).toBe(2);
    expect(err).toContain(`dfs-tool: ${message}`);
  });

  test("one bad name does not stop the others", async () => {
    const folder = newFolder();
    const { status, err } = await stage.dfsIn(folder, "get", "dir/", "f", "a\n", "dir/..");
    expect(status).toBe(3);
    expect(err).toContain("dir/ is a folder");
    expect(err).toContain('"a\\n" cannot be a name');
    expect(err).toContain('".." cannot be a file name here');
    expect(readdirSync(folder)).toEqual(["f"]);
  });
});

describe("what is there", () => {
  test("stays with --no-clobber, and the others come", async () => {
    const folder = newFolder();
    writeFileSync(join(folder, "f"), "old");
    const { status, err } = await stage.dfsIn(folder, "get", "--no-clobber", "f", "dir/g");
    expect(status).toBe(3);
    expect(err).toBe("dfs-tool: f is there already, and stays as it is (--no-clobber)\n");
    expect(readFileSync(join(folder, "f"), KEPT)).toBe("old");
    expect(readdirSync(folder).toSorted()).toEqual(["f", "g"]);
  });

  test("stays a link, be its file there or not", async () => {
    const folder = newFolder();
    mkdirSync(join(folder, "below/deep"), { recursive: true });
    symlinkSync("below/deep", join(folder, "short"));
    // From where it really lies: below/file.
    symlinkSync("../file", join(folder, "below/deep/link"));
    for (const _ of ["made", "replaced"]) {
      expectDone(await stage.dfsIn(folder, "get", "-o", "short/link", "f"));
      expect(readFileSync(join(folder, "below/file"), KEPT)).toBe("data\n");
      expect(readlinkSync(join(folder, "below/deep/link"))).toBe("../file");
    }
    symlinkSync("round", join(folder, "round"));
    lutimesSync(join(folder, "round"), TIME, TIME);
    const { status, err } = await stage.dfsIn(folder, "get", "-o", "round", "f");
    expect([status, err]).toEqual([1, "dfs-tool: round is a link that leads back to itself\n"]);
  });

  test("is written in place where something is mounted on it", async () => {
    const folder = newFolder();
    writeFileSync(join(folder, "real"), "an old and longer file");
    writeFileSync(join(folder, "target"), "");
    const inode = statSync(join(folder, "real")).ino;
    const mounted = Bun.spawnSync(["mount", "--bind", "real", "target"], { cwd: folder });
    // Whoever runs this may not be allowed to.
    if (!mounted.success) return;
    try {
      expectDone(await stage.dfsIn(folder, "get", "--sync", "-o", "target", "f"));
      const info = statSync(join(folder, "real"));
      expect([info.ino, info.mtime]).toEqual([inode, TIME]);
      expect(readFileSync(join(folder, "real"), KEPT)).toBe("data\n");
      expect(readdirSync(folder).toSorted()).toEqual(["real", "target"]);
    } finally {
      Bun.spawnSync(["umount", join(folder, "target")]);
    }
  });
});

test("with --sync each file is synced before its rename, and the folder after all", async () => {
  if (Bun.which("strace") === null) return;
  const folder = newFolder();
  const line = `strace -f -e trace=fsync,rename -o trace $D get --sync f dir/g`;
  expect(await shell(folder, line)).toEqual({ status: 0, out: "", err: "" });
  const calls = readFileSync(join(folder, "trace"), KEPT).match(/(?:fsync|rename)(?=\()/g);
  expect(calls?.filter((call) => call === "rename")).toHaveLength(2);
  expect(calls?.filter((call) => call === "fsync")).toHaveLength(3);
  expect(calls?.at(-1)).toBe("fsync");
  expect(existsSync(join(folder, "g"))).toBe(true);
});
