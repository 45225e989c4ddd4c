/** Ranges of stored files: the bytes that were asked for, and little more on the wire. Dead servers are addresses without any. */
import { inMemory } from "../../src/client/send/source.ts";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { Cluster } from "../../src/client/connect/cluster.ts";
import { get } from "../../src/client/files/get.ts";
import { type Found } from "../../src/client/fetch/sink.ts";
import type { Range } from "../../src/client/fetch/portions.ts";
import { put } from "../../src/client/files/put.ts";
import { layoutOf } from "../../src/file/layout.ts";
import { SEGMENT_BYTES } from "../../src/file/seal.ts";
import { BLOCK_BYTES, CHUNK_BYTES, KIB, MIB } from "../../src/limits.ts";
import { flip } from "../harness/folder.ts";
import { rejectionOf } from "../harness/thrown.ts";
import { without } from "./in_process.ts";
import { isSealed } from "../harness/password.ts";
import { Stage } from "../harness/stage.ts";
import { named } from "../harness/named.ts";

setDefaultTimeout(120_000);

/** What is had or lost together: a block, or the part of a file that is sealed into one. */
const UNIT_BYTES = isSealed ? SEGMENT_BYTES : BLOCK_BYTES;
/** What opening a cluster and reading a name take, and the tables of sums. */
const SMALL_CHANGE = 16 * KIB;

const FILES: Readonly<Record<string, Uint8Array>> = {
  empty: new Uint8Array(),
  byte: randomBytes(1),
  small: randomBytes(100_000),
  large: randomBytes(5 * MIB + 4321),
};

/** A range of a file as a sink gets it; a byte that it should not get, or not yet, is an error. */
async function ranged(
  cluster: Cluster,
  name: string,
  range: Range,
  inOrder: boolean,
): Promise<Uint8Array> {
  const got = new Map<number, Uint8Array>();
  let next = range.offset;
  let progress = 0;
  const sink = {
    inOrder,
    open: async ({ bytes }: Found) => expect(bytes).toBe(FILES[name]?.length ?? bytes),
    write: async (data: Uint8Array, offset: number) => {
      if (inOrder) expect(offset).toBe(next);
      next = offset + data.length;
      got.set(offset, data.slice());
    },
  };
  await get(cluster, named(name), sink, { range, progress: (bytes) => void (progress += bytes) });
  const sorted = [...got].toSorted(([a], [b]) => a - b);
  expect(sorted[0]?.[0] ?? range.offset).toBe(range.offset);
  const data = Buffer.concat(sorted.map(([, part]) => part));
  expect(progress).toBe(data.length);
  return data;
}

async function expectRange(cluster: Cluster, name: string, range: Range): Promise<void> {
  const { offset, length } = range;
  const expected = FILES[name]?.subarray(offset, offset + length) ?? new Uint8Array();
  for (const inOrder of [false, true]) {
    const got = await ranged(cluster, name, range, inOrder);
    expect([name, range, Buffer.compare(got, expected)]).toEqual([name, range, 0]);
  }
}

/** Ranges around all places where something begins or ends. */
function rangesIn(bytes: number): Range[] {
  const places = [0, BLOCK_BYTES, CHUNK_BYTES, 2 * CHUNK_BYTES, bytes / 4, bytes / 2, bytes]
    .map(Math.floor)
    .flatMap((at) => [at - 1, at, at + 1])
    .filter((at) => at >= 0);
  const offsets = [...new Set(places)];
  return offsets.flatMap((offset) =>
    [0, 1, 2, 4 * KIB, BLOCK_BYTES + 1, 1_000_000].map((length) => ({ offset, length })),
  );
}

describe.each([
  ["pairs", [[], [3]]],
  ["rs:2+2", [[], [0, 1], [0, 3]]],
])("%s on 4 servers", (layout, deaths) => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await Stage.open(4);
    await without(stage, [], async (cluster) => {
      for (const [name, data] of Object.entries(FILES)) await store(cluster, name, data);
    });
  });
  afterAll(() => stage.close());

  const store = (cluster: Cluster, name: string, data: Uint8Array) =>
    put(cluster, named(name), inMemory(data), { layout: layoutOf(layout), placement: "name" });

  test.each(deaths.map((dead) => [dead]))("any range, with %p dead", async (dead) => {
    await without(stage, dead, async (cluster) => {
      for (const [name, data] of Object.entries(FILES)) {
        await expectRange(cluster, name, { offset: 0, length: data.length });
        await expectRange(cluster, name, { offset: 0, length: Number.MAX_SAFE_INTEGER });
      }
      for (const name of ["empty", "byte", "small", "large"])
        for (const range of rangesIn(FILES[name]?.length ?? 0))
          await expectRange(cluster, name, range);
    });
  });

  test("what is no range", async () => {
    await without(stage, [], async (cluster) => {
      for (const range of [
        { offset: -1, length: 1 },
        { offset: 0, length: 1.5 },
      ])
        await rejectionOf("usage", ranged(cluster, "large", range, false));
      await rejectionOf("noSuchName", ranged(cluster, "no", { offset: 0, length: 1 }, false));
    });
  });

  test("a flipped byte is not in the range: others say what it was, and all around it is whole", async () => {
    const bytes = 4 * MIB;
    const data = randomBytes(bytes);
    const { vid } = await without(stage, [], (cluster) => store(cluster, "rotten", data));
    const { servers } = await stage.stat("rotten");
    const pathOf = (slot: number, piece: number) =>
      join(stage.server(slot).folder, "pieces", vid.slice(0, 2), `${vid}.${piece}`);
    // The byte 70,000 of the first piece is that of the file too. With parity its block is damaged in one piece more each time.
    const copies = [0, 1, 2, 3].flatMap((piece) =>
      servers.flatMap(({ pieces }, slot) =>
        pieces.includes(piece + 1) && (layout !== "pairs" || piece === 0)
          ? [pathOf(slot, piece)]
          : [],
      ),
    );
    const around = { offset: 69_000, length: 2000 };
    const expected = data.subarray(69_000, 71_000);
    const spare = layout === "pairs" ? 1 : 2;
    for (const [i, path] of copies.slice(0, spare + 1).entries()) {
      flip(path, 70_000);
      await without(stage, [], async (cluster) => {
        const got = ranged(cluster, "rotten", around, false);
        if (i < spare) expect(await got).toEqual(expected);
        else await rejectionOf("integrity", got);
        for (const range of [
          { offset: 0, length: UNIT_BYTES },
          { offset: 2 * UNIT_BYTES, length: UNIT_BYTES + 1 },
        ])
          expect(await ranged(cluster, "rotten", range, true)).toEqual(
            data.subarray(range.offset, range.offset + range.length),
          );
      });
    }
  });

  test("4 KiB of 64 MiB are a block and a table on the wire; with servers dead, as many blocks as make it", async () => {
    const bytes = 64 * MIB;
    await without(stage, [], (cluster) => store(cluster, "huge", randomBytes(bytes)));
    const received: number[][] = [];
    for (const dead of deaths)
      for (const offset of [0, 11_111_111, bytes / 2 + BLOCK_BYTES, bytes - 4 * KIB])
        await without(stage, dead, async (cluster) => {
          const got = await ranged(cluster, "huge", { offset, length: 4 * KIB }, false);
          expect(got.length).toBe(4 * KIB);
          received.push([dead.length, cluster.traffic.received]);
        });
    // Pieces of pairs begin anywhere in a file, and so a segment may lie across two blocks.
    const isAcross = isSealed && layout === "pairs";
    for (const [dead = 0, moved = 0] of received)
      expect(moved).toBeLessThan((isAcross || dead > 1 ? 2 : 1) * BLOCK_BYTES + SMALL_CHANGE);
    const most = Math.max(...received.map(([, moved = 0]) => moved));
    console.log(`${layout}: at most ${(most / KIB).toFixed(1)} KiB for 4 KiB`);
  });
});
