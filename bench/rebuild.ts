/**
 * `bun bench/rebuild.ts`: a server loses all its pieces, and `repair` makes them anew. How fast, beside a plain copy of as many
 * bytes over loopback with fsync, in turn with it; and how many bytes of each piece made were read and written over the network.
 */
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { MIB } from "../src/limits.ts";
import { Stage } from "../test/harness/stage.ts";
import { measure, noiseOf } from "./client.ts";
import { median } from "../src/terminal/units.ts";
import { plainCopy } from "./plain_copy.ts";

const FILES = 8;
const FILE_BYTES = 64 * MIB;
const RUNS = 3;
/** The server that loses its pieces. */
const LOSER = 1;

const CASES = [
  { layout: "rs:4+2", servers: 6 },
  { layout: "pairs", servers: 4 },
];

interface Rebuilt {
  readonly bytes: number;
  readonly seconds: number;
  readonly traffic: { readonly sent: number; readonly received: number };
  readonly peak: number;
}

async function writeNoise(path: string, bytes: number): Promise<void> {
  await using file = await open(path, "w");
  for (let offset = 0; offset < bytes; offset += MIB)
    await file.write(noiseOf(MIB), 0, Math.min(MIB, bytes - offset), offset);
}

async function putFiles(stage: Stage): Promise<void> {
  const names = Array.from({ length: FILES }, (_, i) => `file${i + 1}`);
  for (const name of names) await writeNoise(join(stage.home, name), FILE_BYTES);
  await measure(stage, ["put", ...names]);
  for (const name of names) rmSync(join(stage.home, name));
}

/** What was written before must not be on its way to the disk while something is timed. */
async function settleDisk(): Promise<void> {
  await Bun.spawn(["sync"]).exited;
}

async function losePieces(stage: Stage): Promise<void> {
  const server = stage.server(LOSER);
  await server.kill();
  const pieces = join(server.folder, "pieces");
  for (const name of readdirSync(pieces)) rmSync(join(pieces, name), { recursive: true });
  mkdirSync(pieces, { recursive: true });
  await server.start();
}

async function rebuildOnce(stage: Stage): Promise<Rebuilt> {
  await losePieces(stage);
  await settleDisk();
  const { out, peak } = await measure(stage, ["repair", "--json"]);
  return { ...(JSON.parse(out) as Omit<Rebuilt, "peak">), peak };
}

async function copyOnce(stage: Stage, bytes: number): Promise<number> {
  const [from, to] = [join(stage.home, "noise"), join(stage.home, "copy")];
  rmSync(to, { force: true });
  await settleDisk();
  return plainCopy(from, to, bytes);
}

/** Both in turn, so that both meet the same machine; who is first changes. */
async function compare(layout: string, servers: number): Promise<Record<string, string>> {
  const stage = await Stage.open(servers, { more: `Layout: ${layout}\n` });
  await putFiles(stage);
  const { bytes } = await rebuildOnce(stage);
  await writeNoise(join(stage.home, "noise"), bytes);
  const rebuilt: Rebuilt[] = [];
  const copied: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    if (run % 2 === 1) copied.push(await copyOnce(stage, bytes));
    rebuilt.push(await rebuildOnce(stage));
    if (run % 2 === 0) copied.push(await copyOnce(stage, bytes));
  }
  await stage.close();
  rmSync(stage.home, { recursive: true });
  if (rebuilt.some((one) => one.bytes !== bytes)) throw new Error("not all was rebuilt each time");
  const of = (what: (one: Rebuilt) => number): number => median(rebuilt.map(what));
  const rate = (seconds: number): string => (bytes / seconds / MIB).toFixed(0);
  return {
    layout,
    "MiB rebuilt": String(bytes / MIB),
    "MiB/s": rate(of(({ seconds }) => seconds)),
    "plain copy MiB/s": rate(median(copied)),
    ratio: median(rebuilt.map(({ seconds }, run) => (copied[run] ?? 0) / seconds)).toFixed(2),
    "MiB/s moved": of(
      ({ traffic, seconds }) => (traffic.received + traffic.sent) / seconds / MIB,
    ).toFixed(0),
    "read / rebuilt": of(({ traffic }) => traffic.received / bytes).toFixed(3),
    "sent / rebuilt": of(({ traffic }) => traffic.sent / bytes).toFixed(3),
    "client's peak MiB": (of(({ peak }) => peak) / MIB).toFixed(0),
  };
}

const rows: Record<string, string>[] = [];
for (const { layout, servers } of CASES) rows.push(await compare(layout, servers));
console.log(Bun.inspect.table(rows));
