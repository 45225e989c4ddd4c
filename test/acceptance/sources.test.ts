/** What put reads from on this machine: odd files, names that cannot be, stdin, commands; and that nothing of it is left behind. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { appendFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { executable, newFolder, removeFolders } from "../harness/program.ts";
import { expectDone, Stage } from "../harness/stage.ts";

setDefaultTimeout(60_000);

const LARGE = 64 * 1024 * 1024;
/** What a client with a stream has at most, however long the stream is. */
const STREAM_KIB = 150_000;

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open(4);
});
afterAll(async () => {
  await stage.close();
  removeFolders();
});

/** Starts a line of sh, in which $D is the program and $TMPDIR a folder of its own. */
function start(cwd: string, line: string, tmp = newFolder()) {
  const env = {
    PATH: process.env.PATH ?? "",
    HOME: cwd,
    DFS_CONFIG: stage.config,
    D: executable,
    TMPDIR: tmp,
  };
  return Bun.spawn(["bash", "-c", line], { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
}

/** The most memory that a process has had, in KiB; 0 where it is over. */
function memoryOf(pid: number): number {
  try {
    return Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

async function shell(cwd: string, line: string, tmp?: string) {
  const child = start(cwd, line, tmp);
  const texts = [new Response(child.stdout).text(), new Response(child.stderr).text()];
  const [status, out, err] = await Promise.all([child.exited, ...texts]);
  return { status, out, err };
}

describe("files", () => {
  test("that only grow are stored as they were at first", async () => {
    const folder = newFolder();
    writeFileSync(join(folder, "log"), Buffer.alloc(LARGE, "a"));
    const growing = setInterval(() => appendFileSync(join(folder, "log"), "more"), 1);
    try {
      const { status, err } = await stage.dfsIn(folder, "put", "-v", "log");
      expect(status).toBe(0);
      expect(err).toContain("log grew: it is stored as it was at first");
    } finally {
      clearInterval(growing);
    }
    const kept = await stage.get("log");
    // It had grown a bit when the command began.
    expect(kept.length).toBeWithin(LARGE, LARGE + 10_000);
    expect(kept.subarray(0, LARGE).equals(Buffer.alloc(LARGE, "a"))).toBe(true);
  });

  test("that are none are named, and the others are stored", async () => {
    const folder = newFolder();
    mkdirSync(join(folder, "sub"));
    writeFileSync(join(folder, "good"), "x");
    const line = `touch $'caf\\xe9.txt' && $D put $'caf\\xe9.txt' . sub /sys/kernel/mm/transparent_hugepage/enabled $'a\\nb' good`;
    const { status, out, err } = await shell(folder, line);
    expect(status).toBe(3);
    expect((out ?? "").match(/put failed/g)).toHaveLength(5);
    expect(err).toContain(
      "is not UTF-8, and cannot be opened by its name; use: dfs-tool put - --name NAME < FILE\n",
    );
    expect(err).toContain(". is a folder; name the files in it\n");
    expect(err).toContain("sub is a folder; name the files in it\n");
    expect(err).toContain("enabled is no ordinary file; use: dfs-tool put - --name NAME < /sys/");
    expect(err).toContain("cannot be a name: it has a control character");
    expectDone(await stage.dfs("stat", "good"));
  });

  test.each([
    ["$D put .", 1, ". is a folder; name the files in it"],
    ["$D put $'caf\\xe9.txt' --name cafe", 2, "use: dfs-tool put - --name NAME < FILE"],
    ["$D put --to '' f", 2, "--to needs a folder; it is empty"],
    ["$D put", 2, "FILE... is missing"],
    ["$D put f f", 2, "f is named twice"],
    ["$D put --from-command true", 2, "and what a command prints: --name NAME"],
    ["$D put --from-command true f --name x", 2, "--from-command takes the place of FILE..."],
    ["$D put - --name x < /", 1, "stdin is a folder; use: dfs-tool put - --name NAME < FILE"],
    ["$D put - --name x 0>file", 1, "stdin is not open for reading; use: dfs-tool put - --name"],
  ])("%s says what is wrong", async (line, status, message) => {
    const ran = await shell(newFolder(), line);
    expect(ran.err).toContain(message);
    expect(ran.status).toBe(status);
    expect(ran.err).not.toContain("unexpected error");
  });
});

describe("streams", () => {
  test.each(["< /dev/null", "<&-"])(
    "stdin that is empty (%s) is stored, with a warning",
    async (from) => {
      const ran = await shell(newFolder(), `$D put - --name empty ${from}`);
      expect(ran).toEqual({
        status: 0,
        out: "",
        err: "dfs-tool: warning: stdin was empty: empty is stored, with no bytes\n",
      });
      expect(await stage.get("empty")).toHaveLength(0);
    },
  );

  test("what a command prints is stored if it ends well, and else nothing", async () => {
    const folder = newFolder();
    const put = (command: string) =>
      stage.dfsIn(folder, "put", "--from-command", command, "--name", "dump");
    expect(await put("echo one; echo two")).toEqual({ status: 0, out: "", err: "" });
    const failed = await put("echo half; exit 3");
    expect(failed.status).toBe(1);
    expect(failed.out).toBe("dump put failed\n");
    expect(failed.err).toContain("echo half; exit 3 ended with status 3; nothing was stored");
    expect((await put("kill -9 $$")).err).toContain("ended with SIGKILL; nothing was stored");
    expect((await stage.get("dump")).toString()).toBe("one\ntwo\n");
    expect((await put("true")).err).toContain(
      "warning: true printed nothing: dump is stored, with no bytes",
    );
  });

  test("a named pipe is stored as it comes, under its name", async () => {
    const folder = newFolder();
    const ran = await shell(folder, "mkfifo pipe && (echo in the pipe > pipe & $D put pipe)");
    expect(ran).toEqual({ status: 0, out: "", err: "" });
    expect((await stage.get("pipe")).toString()).toBe("in the pipe\n");
  });

  test("a stream is stored in one pass, in stripes, without a file of its own", async () => {
    const tmp = newFolder();
    const line = `yes a stream | head -c 9000000 | TMPDIR=/nowhere $D put - --name long`;
    expect(await shell(newFolder(), line, tmp)).toEqual({ status: 0, out: "", err: "" });
    const expected = Buffer.from("a stream\n".repeat(1_000_001)).subarray(0, 9_000_000);
    expect((await stage.get("long")).equals(expected)).toBe(true);
    expect(readdirSync(tmp)).toEqual([]);
    const about = await stage.dfs("stat", "long");
    expect(about.out).toMatch(/layout +pairs, in stripes/);
  });

  test("a stream of any length takes no more memory", async () => {
    const child = start(newFolder(), "exec $D put - --name zeros < <(head -c 400000000 /dev/zero)");
    let most = 0;
    while (child.exitCode === null) {
      most = Math.max(most, memoryOf(child.pid));
      await Bun.sleep(20);
    }
    expect(child.exitCode).toBe(0);
    expect(most).toBeWithin(1, STREAM_KIB);
    expectDone(await stage.dfs("rm", "zeros"));
  });

  test("a stream has all its copies where a server is killed half-way", async () => {
    const half = 4_000_000;
    const gate = join(newFolder(), "gate");
    const line = `(head -c ${half} /dev/zero; while [ ! -e ${gate} ]; do sleep 0.1; done; head -c ${half} /dev/zero) | $D put - --name lossy`;
    const child = start(newFolder(), line);
    await Bun.sleep(1500);
    await stage.server(1).kill();
    writeFileSync(gate, "");
    expect(await child.exited).toBe(0);
    const { pieces } = await stage.stat("lossy");
    expect(pieces.map(({ servers }) => servers.length)).toEqual([2, 2, 2, 2]);
    expect((await stage.get("lossy")).equals(Buffer.alloc(2 * half))).toBe(true);
    await stage.server(1).start();
  });

  test.each(["INT", "TERM", "HUP", "QUIT", "KILL"] as const)(
    "nothing is left of stdin after SIG%s",
    async (signal) => {
      const tmp = newFolder();
      const child = start(
        newFolder(),
        `exec $D put - --name never < <(head -c 5000000 /dev/zero; sleep 9)`,
        tmp,
      );
      await Bun.sleep(500);
      child.kill(`SIG${signal}`);
      await child.exited;
      expect(readdirSync(tmp)).toEqual([]);
    },
  );

  test("SIGHUP ends a command, unless it is to be ignored, as nohup has it", async () => {
    const ended = start(newFolder(), `exec $D put - --name hung < <(sleep 9)`);
    const goesOn = start(
      newFolder(),
      `trap '' HUP; exec $D put - --name goes-on < <(sleep 1; echo on)`,
    );
    await Bun.sleep(500);
    for (const child of [ended, goesOn]) child.kill("SIGHUP");
    expect(await ended.exited).toBe(129);
    expect(await goesOn.exited).toBe(0);
    expect((await stage.get("goes-on")).toString()).toBe("on\n");
  });
});
