/**
 * `bun bench/million.ts [COUNT]`: what 1,000,000 names cost four servers: how long they take to start, and their memory from there, at
 * rest, while all names are listed, and while files are put. Writes dist/bench-million.json.
 */
import { rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tableLines } from "../src/terminal/units.ts";
import { KIB } from "../src/limits.ts";
import { Stage } from "../test/harness/stage.ts";
import { executable, removeFolders } from "../test/harness/program.ts";
import { noiseOf } from "./client.ts";
import { costOf, resetPeaks, serversCost } from "./meter.ts";
import { judge, verdictCells } from "./targets.ts";

const MILLION = 1_000_000;
const NAMES = Number(process.argv[2] ?? MILLION);
/** Servers read back what they hold while they have nothing else to do. */
const REST_SECONDS = 20;
const FILLER = `${import.meta.dir}/fill_folder.ts`;

interface Moment {
  readonly what: string;
  readonly seconds: number;
  /** Bytes of memory, of the server that took most, and of the client. */
  readonly serverPeak: number;
  readonly clientPeak: number | null;
}

async function fill(stage: Stage): Promise<void> {
  // The first file makes four servers a cluster.
  await stage.put("first", noiseOf(KIB));
  await Promise.all(stage.servers.map((server) => server.terminate()));
  const [one, other] = [stage.servers.slice(0, 2), stage.servers.slice(2)];
  for (const pair of [one, other])
    await Promise.all(
      pair.map(async ({ folder }) => {
        const filler = Bun.spawn([process.execPath, FILLER, folder, String(NAMES)], {
          stdio: ["ignore", "inherit", "inherit"],
        });
        if ((await filler.exited) !== 0) throw new Error(`${folder} was not filled`);
      }),
    );
}

async function moment(stage: Stage, what: string, work: () => Promise<unknown>): Promise<Moment> {
  resetPeaks(stage);
  const begun = performance.now();
  await work();
  const seconds = (performance.now() - begun) / 1000;
  return { what, seconds, serverPeak: serversCost(stage).peak, clientPeak: null };
}

async function command(stage: Stage, what: string, args: readonly string[]): Promise<Moment> {
  const { seconds, serverPeak, clientPeak } = await costOf(stage, args, stage.home);
  return { what, seconds, serverPeak, clientPeak };
}

/** The listing has them all, or the figures are of something else. */
async function checkNames(stage: Stage): Promise<void> {
  const child = Bun.spawn([executable, "list", "--config", stage.config]);
  const names = (await new Response(child.stdout).text()).trimEnd().split("\n");
  const whole = names.filter((name) => !name.endsWith("[incomplete]")).length;
  if (whole !== NAMES + 1) throw new Error(`${whole} of ${NAMES + 1} files are there`);
}

async function measure(stage: Stage): Promise<Moment[]> {
  const files = Array.from({ length: 1000 }, (_, i) => join(stage.home, `new${i}`));
  for (const path of files) writeFileSync(path, noiseOf(KIB));
  return [
    await moment(stage, "to start", () =>
      Promise.all(stage.servers.map((server) => server.start())),
    ),
    await moment(stage, "at rest, reading back", () => Bun.sleep(1000 * REST_SECONDS)),
    await command(stage, "list all", ["list"]),
    await command(stage, "list one folder", ["list", "folder 7/"]),
    await command(stage, "stat", ["stat", "folder 7/file 7"]),
    await moment(stage, "list all, and look whether they are there", () => checkNames(stage)),
    await command(stage, "put 1,000 more", ["put", ...files]),
  ];
}

const stage = await Stage.open(4, { users: null });
try {
  const begun = performance.now();
  await fill(stage);
  console.error(`filled in ${((performance.now() - begun) / 1000).toFixed(0)} s`);
  const catalog = statSync(join(stage.server(0).folder, "catalog.sqlite")).size;
  const moments = await measure(stage);
  const millionPeak = Math.max(...moments.map(({ serverPeak }) => serverPeak));
  const mb = (bytes: number | null): string => (bytes === null ? "-" : (bytes / 1e6).toFixed(0));
  const cells = moments.map(({ what, seconds, serverPeak, clientPeak }) => [
    what,
    seconds.toFixed(3),
    mb(serverPeak),
    mb(clientPeak),
  ]);
  const verdicts = judge({ rows: [], crowd: null, millionPeak });
  const lines = [
    `${NAMES.toLocaleString("en")} names; a server's catalog has ${mb(catalog)} MB`,
    ...tableLines([["WHILE", "SECONDS", "SERVER'S PEAK MB", "CLIENT'S"], ...cells]),
    "",
    ...tableLines(verdicts.map(verdictCells)),
  ];
  if (NAMES < MILLION) lines.push("", `a trial: the limit is for ${MILLION.toLocaleString("en")}`);
  console.log(lines.join("\n"));
  const report = { date: new Date().toISOString(), names: NAMES, catalog, moments, verdicts };
  writeFileSync(
    join(import.meta.dir, "../dist/bench-million.json"),
    JSON.stringify(report, null, 2),
  );
} finally {
  await stage.close();
  rmSync(stage.home, { recursive: true, force: true });
  removeFolders();
}
