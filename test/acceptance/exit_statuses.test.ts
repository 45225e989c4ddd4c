/** An exit status means what the table of docs/commands.md says, whatever stands behind stdout. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { COMMANDS } from "../../src/cli/command_table.ts";
import { executable, newFolder, writeDeadConfig } from "../harness/program.ts";
import { isThere, type Kind, KINDS, runBefore } from "./behind_stdout.ts";
import { empty, expectDone, ServerProcess, Stage } from "../harness/stage.ts";

setDefaultTimeout(180_000);

/** Four servers that are well; three of which one is dead for good; two neighbours of four dead; three of four; none. */
type Where = "whole" | "degraded" | "missing" | "few" | "dead";
const homes = new Map<Where, string>();
const stages: Stage[] = [];
const extra: ServerProcess[] = [];
const kept: Bun.TCPSocketListener[] = [];
/** A server that is no member yet. */
let blank: ServerProcess;

async function open(where: Where, size: number, killed: readonly number[]): Promise<Stage> {
  const stage = await Stage.open(size);
  stages.push(stage);
  homes.set(where, stage.home);
  for (const name of ["a", "b"]) writeFileSync(join(stage.home, name), `${name}\n`);
  expectDone(await stage.dfs("put", "a", "b"));
  await stage.put("large", Buffer.alloc(200_000, "large"));
  for (const kind of KINDS) await stage.put(`rm-${kind}`, Buffer.from(kind));
  expectDone(await stage.dfs("repair"));
  for (const slot of killed) {
    await stage.server(slot).kill();
    await keepPort(stage.server(slot).port);
  }
  return stage;
}

/** Whoever else gets the port of a dead server could answer there: this hangs up. */
async function keepPort(port: number): Promise<void> {
  const socket = { open: (caller: Bun.Socket) => void caller.end(), data: () => {} };
  for (let tries = 0; tries < 50; tries++) {
    try {
      kept.push(Bun.listen({ hostname: "127.0.0.1", port, socket }));
      return;
    } catch {
      await Bun.sleep(20);
    }
  }
}

beforeAll(async () => {
  const whole = await open("whole", 4, []);
  mkdirSync(join(whole.home, "folder"));
  writeFileSync(join(whole.home, "users.conf"), "Bob secret\n");
  blank = new ServerProcess(join(whole.home, "dfs5"), {});
  extra.push(blank);
  await blank.start();
  // One that is replaced, so that it can be asked for once more.
  const [, second] = whole.servers;
  await second?.kill();
  empty(second?.folder ?? "");
  await second?.start();
  await open("degraded", 3, [1]);
  await open("missing", 4, [0, 1]);
  await open("few", 4, [0, 1, 2]);
  const dead = newFolder();
  writeDeadConfig(dead);
  for (const name of ["a", "b"]) writeFileSync(join(dead, name), name);
  homes.set("dead", dead);
});
afterAll(async () => {
  for (const listener of kept) listener.stop(true);
  await Promise.all([...stages.map((stage) => stage.close()), ...extra.map((one) => one.kill())]);
});

/** A command, and how it ends where stdout is read. `ends`: it is for its output, and so may end with 141 where nobody reads that. */
interface Case {
  readonly args: string;
  readonly status: number;
  readonly where?: Where;
  readonly ends?: true;
  /** What it is given to read. */
  readonly input?: string;
}

/** KIND stands for what is behind stdout: a name of its own for each run. */
const CASES: readonly Case[] = [
  { args: "--version", status: 0 },
  { args: "--help", status: 0 },
  { args: "put --help", status: 0 },
  { args: "nonsense", status: 2 },
  { args: "version --json", status: 0 },
  { args: "completion bash", status: 0 },
  { args: "completion csh", status: 2 },
  { args: "put a --name put-KIND", status: 0 },
  { args: "put missing", status: 1 },
  { args: "put a missing", status: 3 },
  { args: "put --json a missing", status: 3 },
  { args: "put --if-absent a", status: 11 },
  { args: "put folder --layout nonsense", status: 2 },
  { args: "put - --name in-KIND", status: 0, input: "abc" },
  { args: "put a b", where: "few", status: 7 },
  { args: "put a b", where: "dead", status: 7 },
  { args: "put a --json", where: "dead", status: 7 },
  { args: "get large -o got-KIND", status: 0 },
  { args: "get --json a -o json-KIND", status: 0 },
  { args: "get large -o -", status: 0, ends: true },
  { args: "get large -o -", where: "degraded", status: 0, ends: true },
  { args: "get missing", status: 4 },
  { args: "get missing -o -", status: 4 },
  { args: "get --json missing", status: 4 },
  { args: "get a missing", status: 3 },
  { args: "get large", where: "missing", status: 6 },
  { args: "get large -o -", where: "missing", status: 6 },
  { args: "get a", where: "few", status: 5 },
  { args: "get a -o -", where: "dead", status: 5 },
  { args: "list", status: 0, ends: true },
  { args: "list --json", where: "degraded", status: 0, ends: true },
  { args: "list", where: "dead", status: 5 },
  { args: "stat a", status: 0 },
  { args: "stat --json a", status: 0 },
  { args: "stat missing", status: 4 },
  { args: "stat a", where: "few", status: 5 },
  { args: "cp a cp-KIND", status: 0 },
  { args: "cp --json missing cp-KIND", status: 4 },
  { args: "cp a b", where: "few", status: 7 },
  { args: "cp a b", where: "dead", status: 7 },
  { args: "mv cp-KIND mv-KIND", status: 0 },
  { args: "mv missing mv-KIND", status: 4 },
  { args: "mv a b", where: "few", status: 7 },
  { args: "rm rm-KIND", status: 0 },
  { args: "rm missing", status: 4 },
  { args: "rm --json missing", status: 4 },
  { args: "rm a", where: "few", status: 5 },
  { args: "mkdir dir-KIND", status: 0 },
  { args: "mkdir dir", where: "few", status: 7 },
  { args: "mkdir dir", where: "dead", status: 7 },
  { args: "server replace DFS2", status: 0 },
  { args: "init 127.0.0.1:9 --config init-KIND.conf", status: 0 },
  { args: "init nonsense:", status: 2 },
  { args: "adopt", status: 2 },
  { args: "verify a", status: 0 },
  { args: "verify missing", status: 3 },
  { args: "verify", where: "degraded", status: 3 },
  { args: "verify", where: "dead", status: 5 },
  { args: "repair", status: 0 },
  { args: "repair --json --dry-run", status: 0 },
  { args: "repair", where: "dead", status: 5 },
  { args: "status", where: "degraded", status: 14 },
  { args: "status --json", where: "missing", status: 6 },
  { args: "status", where: "few", status: 5 },
  { args: "status", where: "dead", status: 5 },
  { args: "rebalance", status: 0 },
  { args: "rebalance --dry-run --json", where: "degraded", status: 0 },
  { args: "server list", status: 0 },
  { args: "server list", where: "dead", status: 5 },
  { args: "server add DFS5 BLANK", status: 0 },
  { args: "server add DFS6 BLANK", status: 2 },
  { args: "server drain DFS5", status: 0 },
  { args: "server drain DFS9", status: 2 },
  { args: "server replace DFS1", status: 2 },
  { args: "server remove DFS1", status: 1 },
  { args: "user list users.conf", status: 0 },
  { args: "user list missing.conf", status: 2 },
  { args: "user remove users.conf Alice", status: 2 },
  { args: "shell", status: 0, input: "LIST\nGET a\nLIST\n" },
  { args: "shell", status: 3, input: "LIST\nGET missing\nLIST\n" },
  { args: "shell", status: 4, input: "GET missing\n" },
  { args: "bench --size 1 --files 2 --runs 1", status: 0 },
  { args: "bench", where: "dead", status: 5 },
  { args: "demo", status: 0 },
  { args: "serve served nonsense", status: 2 },
  { args: "serve a 0", status: 1 },
];

const words = (text: string, kind: Kind): string[] =>
  text.replaceAll("KIND", kind).replaceAll("BLANK", `127.0.0.1:${blank.port}`).split(" ");

/** The same as the shell would run it, where there is something to read. */
function commandOf({ args, input }: Case, kind: Kind): string[] {
  const command = [executable, ...words(args, kind)];
  if (input === undefined) return command;
  return ["sh", "-c", 'text="$1"; shift; printf %s "$text" | "$@"', "sh", input, ...command];
}

function run(one: Case, kind: Kind): ReturnType<typeof runBefore> {
  const home = homes.get(one.where ?? "whole") ?? "";
  return runBefore(kind, commandOf(one, kind), home, { DFS_CONFIG: join(home, "dfc.conf") });
}

describe.each(CASES.map((one) => [one.args, one.where ?? "whole", one] as const))(
  "%s (%s)",
  (_args, _where, one) => {
    const { status } = one;
    let printed = "";
    test(`stdout open: ${status}`, async () => {
      const ran = await run(one, "open");
      printed = ran.out;
      expect(ran.status).toBe(status);
    });
    test.skipIf(!isThere("closed"))("stdout closed: the same", async () => {
      const may = one.ends ? [status, 141] : [status];
      expect(may).toContain((await run(one, "closed")).status);
    });
    test.skipIf(!isThere("full"))("stdout full: the same, or 1 where it were 0", async () => {
      const isLost = status === 0 && printed !== "";
      expect((await run(one, "full")).status).toBe(isLost ? 1 : status);
    });
    test.skipIf(!isThere("terminal"))("stdout a terminal: the same", async () => {
      expect((await run(one, "terminal")).status).toBe(status);
    });
  },
);

test("no command is without a case", () => {
  const named = new Set(CASES.map(({ args }) => args.split(" ")[0]));
  expect(Object.keys(COMMANDS).filter((name) => !named.has(name))).toEqual([]);
});

describe.skipIf(!isThere("closed"))("a reader that goes ends no work", () => {
  test("a server serves on, and ends in order", async () => {
    const command = ["timeout", "--preserve-status", "-s", "TERM", "1", executable];
    for (const kind of ["closed", "full"] as const) {
      const ran = await runBefore(kind, [...command, "serve", "one", "0"], newFolder());
      expect(ran.status).toBe(0);
    }
  });

  test("a shell does what comes after a list", async () => {
    const [whole] = stages;
    const input = "LIST\nPUT a after-list/\n";
    expect(await run({ args: "shell", status: 0, input }, "closed")).toMatchObject({ status: 0 });
    expect((await whole!.dfs("stat", "after-list/a")).status).toBe(0);
  });

  test.skipIf(!isThere("terminal"))("a prompt does what is typed", async () => {
    const [whole] = stages;
    const typed = String.raw`for line in LIST "PUT b typed/" EXIT; do sleep 0.5; printf "$line\r"; done`;
    const shell = `script -qec '"${executable}" shell | true' /dev/null`;
    const env = { DFS_CONFIG: whole!.config, TERM: "dumb" };
    await runBefore("open", ["sh", "-c", `{ ${typed}; sleep 1; } | ${shell}`], whole!.home, env);
    expect((await whole!.dfs("stat", "typed/b")).status).toBe(0);
  });

  test("a repair that says more than a pipe holds does all there is to do", async () => {
    const stage = await Stage.open(4);
    stages.push(stage);
    const names = Array.from({ length: 700 }, (_, i) => `f${i}`);
    for (const name of names) writeFileSync(join(stage.home, name), name);
    const to = `${"a-folder-with-a-long-name".repeat(4)}/`;
    await stage.dfs("list");
    await stage.without([1], async () => expectDone(await stage.dfs("put", "--to", to, ...names)));
    const env = { DFS_CONFIG: stage.config };
    const repair = [executable, "repair", "-v"];
    expect(await runBefore("closed", repair, stage.home, env)).toMatchObject({ status: 0 });
    expect(await stage.dfs("repair", "--dry-run")).toMatchObject({ out: "nothing to repair\n" });
  });
});
