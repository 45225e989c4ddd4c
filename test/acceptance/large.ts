/**
 * The file of 4 GiB, by hand: `bun test/acceptance/large.ts`, or `… large.ts 512` for so many MiB. It is put, brought
 * back and compared, and the peak memory of the client and of each server is printed. It takes four times the size on
 * the disk of temporary files. Linux only.
 */
import { statfsSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { executable, removeFolders } from "../harness/program.ts";
import { peakOf, Stage } from "../harness/stage.ts";

const MIB = 1024 * 1024;
/** What issue 2 allows the client and each server. */
const MOST_BYTES = 200 * MIB;

const bytes = Number(process.argv[2] ?? 4096) * MIB;
const mib = (amount: number): string => `${(amount / MIB).toFixed(1)} MiB`;

/** Fills a file with blocks of noise, each with its number at its begin, so that no two are the same. */
async function writeNoise(path: string): Promise<void> {
  const block = crypto.getRandomValues(new Uint8Array(65_536));
  const chunk = Buffer.concat(Array.from({ length: MIB / block.length }, () => block));
  const file = await open(path, "w");
  for (let offset = 0; offset < bytes; offset += MIB) {
    for (let at = 0; at < MIB; at += block.length) chunk.writeBigUInt64BE(BigInt(offset + at), at);
    await file.write(chunk, 0, MIB, offset);
  }
  await file.close();
}

/** Runs a client and returns its peak memory. */
async function client(stage: Stage, ...args: string[]): Promise<number> {
  const started = performance.now();
  const child = Bun.spawn([executable, ...args], {
    cwd: stage.home,
    env: { HOME: stage.home },
    stdio: ["ignore", "inherit", "inherit"],
  });
  const peak = await peakOf(child);
  const status = await child.exited;
  if (status !== 0) throw new Error(`${args[0]}: exit status ${status}`);
  const seconds = (performance.now() - started) / 1000;
  console.log(
    `${args[0]}: ${seconds.toFixed(1)} s, ${mib(bytes / seconds)}/s, peak memory ${mib(peak)}`,
  );
  return peak;
}

async function main(): Promise<number> {
  const { bavail, bsize } = statfsSync(tmpdir());
  if (bavail * bsize < 5 * bytes) throw new Error(`${tmpdir()} has too little room`);
  const stage = await Stage.open(4);
  try {
    const file = join(stage.home, "large");
    await writeNoise(file);
    const peaks = [await client(stage, "put", "large")];
    const putPeaks = stage.servers.map((server) => server.memory.peak);
    peaks.push(await client(stage, "get", "large", "-o", "back"));
    for (const [slot, { name, memory }] of stage.servers.entries()) {
      console.log(
        `${name}: peak memory ${mib(putPeaks[slot] ?? 0)} after put, ${mib(memory.peak)} after get`,
      );
      peaks.push(memory.peak);
    }
    const { exitCode } = Bun.spawnSync(["cmp", file, join(stage.home, "back")]);
    console.log(exitCode === 0 ? "byte for byte the same" : "NOT the same");
    const isSmall = peaks.every((peak) => peak < MOST_BYTES);
    console.log(`peaks ${isSmall ? "" : "NOT all "}below ${mib(MOST_BYTES)}`);
    return exitCode === 0 && isSmall ? 0 : 1;
  } finally {
    await stage.close();
    removeFolders();
  }
}

process.exit(await main());
