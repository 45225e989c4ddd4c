/** dfs-tool demo: four servers, three files, and what becomes of the files when servers die. */
import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineCommand } from "citty";
import { exitStatus } from "../../errors.ts";
import { MIB } from "../../limits.ts";
import { type DemoServer, runClient, startServer } from "./demo_servers.ts";
import { OWN_COMMAND } from "../../io/own_command.ts";
import { undoAtInterrupt } from "../../terminal/interrupt.ts";
import { flush, print } from "../../terminal/stdout.ts";
import { clearAway } from "../local/temporary.ts";
import { sizeText, tableLines } from "../../terminal/units.ts";

const FILES = {
  "letter.txt": () => "Dear reader,\n\nthis letter was cut into four pieces.\n",
  "table.csv": () => Array.from({ length: 20_000 }, (_, i) => `${i},${i * i}\n`).join(""),
  "noise.bin": () => randomBytes(8 * MIB),
};
const NAMES = Object.keys(FILES);

export const demoCommand = defineCommand({
  meta: { description: "Show on this machine how files survive lost servers" },
  args: {},
  async run() {
    const home = mkdtempSync(join(tmpdir(), "dfs-demo-"));
    const servers: DemoServer[] = [];
    const clear = (): void => {
      for (const server of servers) void server.kill();
      clearAway(home);
    };
    const forget = undoAtInterrupt(clear);
    try {
      for (const name of ["DFS1", "DFS2", "DFS3", "DFS4"])
        servers.push(await startServer(OWN_COMMAND, home, name));
      const isWhole = await tellStory({ home, servers });
      await say(
        "",
        isWhole ? "Every file came back byte for byte." : "That is not how it should be.",
      );
      return isWhole ? 0 : exitStatus("failed");
    } finally {
      // Who still writes into their folder would keep it from being removed.
      await Promise.all(servers.map((server) => server.kill()));
      clear();
      forget();
      await say(`The servers are stopped and ${home} is removed.`);
    }
  },
});

interface Stage {
  /** The folder of everything that the demo makes. */
  readonly home: string;
  readonly servers: readonly DemoServer[];
}

/** Tells it step by step; was every step as it should be? */
async function tellStory(stage: Stage): Promise<boolean> {
  const [dfs1, dfs2, , dfs4] = stage.servers as [DemoServer, DemoServer, DemoServer, DemoServer];
  await introduce(stage);
  const put = await putFiles(stage);

  await say("", `3. ${dfs2.name} is killed: kill -9 ${dfs2.pid}`);
  await dfs2.kill();
  const list = await client(stage, stage.home, "list");
  const isListed = list.lines.join() === NAMES.toSorted().join();
  const one = await getFiles(stage, "one-lost");

  await say("", `4. ${dfs4.name}, the server opposite, is killed too: kill -9 ${dfs4.pid}`);
  await dfs4.kill();
  const two = await getFiles(stage, "two-lost");

  await say("", `5. ${dfs4.name} starts again, and ${dfs1.name} is killed: kill -9 ${dfs1.pid}`);
  await say(
    `   Now two neighbours are dead, ${dfs1.name} and ${dfs2.name}, with both copies of one piece:`,
  );
  await dfs4.restart();
  await dfs1.kill();
  const honest = await refused(stage);

  await say("", `6. ${dfs1.name} and ${dfs2.name} start again, with what they had stored`);
  await Promise.all([dfs1.restart(), dfs2.restart()]);
  const all = await getFiles(stage, "none-lost");
  return [put, isListed, one, two, honest, all].every(Boolean);
}

async function introduce({ home, servers }: Stage): Promise<void> {
  await say("1. Four servers start, each a process with its own folder and port");
  const rows = servers.map(({ name, port, pid }) => [
    `   ${name}`,
    `127.0.0.1:${port}`,
    join(home, name.toLowerCase()),
    `process ${pid}`,
  ]);
  await say(...tableLines(rows));
  const config = servers.map(({ name, port }) => `Server ${name} 127.0.0.1:${port}\n`);
  writeFileSync(configPath(home), config.join(""));
  for (const [name, content] of Object.entries(FILES)) writeFileSync(join(home, name), content());
}

async function putFiles(stage: Stage): Promise<boolean> {
  const { home, servers } = stage;
  await say("", "2. Three files are stored");
  await say(...NAMES.map((name) => `   ${sha256(join(home, name))}  ${name}`));
  const { status } = await client(stage, home, "put", ...NAMES);
  await say("   Each is cut into four pieces, and each piece lies on two neighbours:");
  const rows = [["   FILE", "SIZE", "x", ...servers.map(({ name }) => name)]];
  for (const name of NAMES) {
    const { lines } = await runClient(["stat", "--json", name], home, configPath(home));
    const { bytes, x, servers: holders } = JSON.parse(lines.join("")) as StatJson;
    const pieces = holders.map((holder) => holder.pieces.join(","));
    rows.push([`   ${name}`, sizeText(bytes), String(x), ...pieces]);
  }
  await say(...tableLines(rows));
  return status === 0;
}

/** What the demo takes from `stat --json`. */
interface StatJson {
  readonly bytes: number;
  readonly x: number;
  readonly servers: { readonly pieces: number[] }[];
}

/** Gets all files into another folder; are they what they were? */
async function getFiles(stage: Stage, into: string): Promise<boolean> {
  const folder = join(stage.home, into);
  mkdirSync(folder);
  const { status } = await client(stage, folder, "get", ...NAMES);
  const sums = NAMES.map((name) => [name, sha256(join(folder, name))] as const);
  await say(...sums.map(([name, sum]) => `   ${sum}  ${name}`));
  const isSame = sums.every(([name, sum]) => sum === sha256(join(stage.home, name)));
  await say(isSame ? "   the same as before" : "   NOT the same as before");
  return status === 0 && isSame;
}

/** A file that cannot be rebuilt must be refused, and nothing be written in its place. */
async function refused(stage: Stage): Promise<boolean> {
  const folder = join(stage.home, "neighbours-lost");
  mkdirSync(folder);
  const { status } = await client(stage, folder, "get", "noise.bin");
  const isWritten = existsSync(join(folder, "noise.bin"));
  await say(
    `   exit status ${status}; ${isWritten ? "a file was written" : "no file was written"}`,
  );
  return status === exitStatus("incomplete") && !isWritten;
}

/** Runs a command and shows it with what it prints, as at a prompt. */
async function client({ home }: Stage, cwd: string, ...args: string[]) {
  const ran = await runClient(args, cwd, configPath(home));
  await say(
    `   $ dfs-tool ${args.join(" ")}`,
    ...ran.lines.filter(Boolean).map((line) => `   ${line}`),
  );
  return ran;
}

const configPath = (home: string): string => join(home, "dfc.conf");

const sha256 = (path: string): string =>
  existsSync(path) ? createHash("sha256").update(readFileSync(path)).digest("hex") : "no file";

/** Prints lines at once, so that the story can be followed. */
async function say(...lines: string[]): Promise<void> {
  for (const line of lines) await print(line);
  await flush();
}
