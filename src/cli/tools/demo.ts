/**
 * dfs-tool demo: starts four servers, stores three files, and shows what happens to the files when
 * servers die.
 */
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
import { removeTemporary } from "../local/temporary.ts";
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
      removeTemporary(home);
    };
    const forget = undoAtInterrupt(clear);
    try {
      for (const name of ["DFS1", "DFS2", "DFS3", "DFS4"])
        servers.push(await startServer(OWN_COMMAND, home, name));
      const isWhole = await runStory({ home, servers });
      await printNow(
        "",
        isWhole ? "Every file came back byte for byte." : "That is not how it should be.",
      );
      return isWhole ? 0 : exitStatus("failed");
    } finally {
      // A server that still writes into its folder would keep the folder from being removed.
      await Promise.all(servers.map((server) => server.kill()));
      clear();
      forget();
      await printNow(`The servers are stopped and ${home} is removed.`);
    }
  },
});

interface Stage {
  /** The folder of everything that the demo makes. */
  readonly home: string;
  readonly servers: readonly DemoServer[];
}

/** Tells the story step by step. Was every step as it should be? */
async function runStory(stage: Stage): Promise<boolean> {
  const [dfs1, dfs2, , dfs4] = stage.servers as [DemoServer, DemoServer, DemoServer, DemoServer];
  await introduce(stage);
  const put = await putFiles(stage);

  await printNow("", `3. ${dfs2.name} is killed: kill -9 ${dfs2.pid}`);
  await dfs2.kill();
  const list = await client(stage, stage.home, "list");
  const isListed = list.lines.join() === NAMES.toSorted().join();
  const oneLost = await getFiles(stage, "one-lost");

  await printNow("", `4. ${dfs4.name}, the server opposite, is killed too: kill -9 ${dfs4.pid}`);
  await dfs4.kill();
  const twoLost = await getFiles(stage, "two-lost");

  await printNow(
    "",
    `5. ${dfs4.name} starts again, and ${dfs1.name} is killed: kill -9 ${dfs1.pid}`,
  );
  await printNow(
    `   Now two neighbours are dead, ${dfs1.name} and ${dfs2.name}, with both copies of one piece:`,
  );
  await dfs4.restart();
  await dfs1.kill();
  const isRefused = await checkRefusal(stage);

  await printNow("", `6. ${dfs1.name} and ${dfs2.name} start again, with what they had stored`);
  await Promise.all([dfs1.restart(), dfs2.restart()]);
  const noneLost = await getFiles(stage, "none-lost");
  return [put, isListed, oneLost, twoLost, isRefused, noneLost].every(Boolean);
}

async function introduce({ home, servers }: Stage): Promise<void> {
  await printNow("1. Four servers start, each a process with its own folder and port");
  const rows = servers.map(({ name, port, pid }) => [
    `   ${name}`,
    `127.0.0.1:${port}`,
    join(home, name.toLowerCase()),
    `process ${pid}`,
  ]);
  await printNow(...tableLines(rows));
  const config = servers.map(({ name, port }) => `Server ${name} 127.0.0.1:${port}\n`);
  writeFileSync(configPath(home), config.join(""));
  for (const [name, content] of Object.entries(FILES)) writeFileSync(join(home, name), content());
}

async function putFiles(stage: Stage): Promise<boolean> {
  const { home, servers } = stage;
  await printNow("", "2. Three files are stored");
  await printNow(...NAMES.map((name) => `   ${sha256(join(home, name))}  ${name}`));
  const { status } = await client(stage, home, "put", ...NAMES);
  await printNow("   Each is cut into four pieces, and each piece lies on two neighbours:");
  const rows = [["   FILE", "SIZE", "x", ...servers.map(({ name }) => name)]];
  for (const name of NAMES) {
    const { lines } = await runClient(["stat", "--json", name], home, configPath(home));
    const { bytes, x, servers: holders } = JSON.parse(lines.join("")) as StatJson;
    const pieces = holders.map((holder) => holder.pieces.join(","));
    rows.push([`   ${name}`, sizeText(bytes), String(x), ...pieces]);
  }
  await printNow(...tableLines(rows));
  return status === 0;
}

/** The part of `stat --json` that the demo needs. */
interface StatJson {
  readonly bytes: number;
  readonly x: number;
  readonly servers: { readonly pieces: number[] }[];
}

/** Gets all files into another folder. Are they the same as before? */
async function getFiles(stage: Stage, into: string): Promise<boolean> {
  const folder = join(stage.home, into);
  mkdirSync(folder);
  const { status } = await client(stage, folder, "get", ...NAMES);
  const sums = NAMES.map((name) => [name, sha256(join(folder, name))] as const);
  await printNow(...sums.map(([name, sum]) => `   ${sum}  ${name}`));
  const isSame = sums.every(([name, sum]) => sum === sha256(join(stage.home, name)));
  await printNow(isSame ? "   the same as before" : "   NOT the same as before");
  return status === 0 && isSame;
}

/** A file that cannot be rebuilt must be refused, and nothing may be written. */
async function checkRefusal(stage: Stage): Promise<boolean> {
  const folder = join(stage.home, "neighbours-lost");
  mkdirSync(folder);
  const { status } = await client(stage, folder, "get", "noise.bin");
  const isWritten = existsSync(join(folder, "noise.bin"));
  await printNow(
    `   exit status ${status}; ${isWritten ? "a file was written" : "no file was written"}`,
  );
  return status === exitStatus("incomplete") && !isWritten;
}

/** Runs a command, and shows it with its output, as at a prompt. */
async function client({ home }: Stage, cwd: string, ...args: string[]) {
  const ran = await runClient(args, cwd, configPath(home));
  await printNow(
    `   $ dfs-tool ${args.join(" ")}`,
    ...ran.lines.filter(Boolean).map((line) => `   ${line}`),
  );
  return ran;
}

const configPath = (home: string): string => join(home, "dfc.conf");

const sha256 = (path: string): string =>
  existsSync(path) ? createHash("sha256").update(readFileSync(path)).digest("hex") : "no file";

/** Prints lines at once, so that a person can follow the story. */
async function printNow(...lines: string[]): Promise<void> {
  for (const line of lines) await print(line);
  await flush();
}
