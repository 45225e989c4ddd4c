/** Chunks of pieces from servers that have them, say no, send something else, or are slow. */
import { expect, test } from "bun:test";
import { Fetcher } from "../../src/client/fetch/fetcher.ts";
import { DfsError, type ErrorCode } from "../../src/errors.ts";
import { NO_ATTRIBUTES } from "../../src/file/attributes.ts";
import { rootOf, sumsOf } from "../../src/file/checksum.ts";
import { encodeManifest } from "../../src/file/manifest.ts";
import { BLOCK_BYTES } from "../../src/limits.ts";
import type { Taker } from "../../src/wire/arriving_data.ts";
import type { BodyOf } from "../../src/wire/messages.ts";
import { ringFrom, versionOf, vidOf } from "../harness/arbitraries.ts";
import { World } from "../sim/world.ts";
import { errorOf } from "../harness/thrown.ts";
import { inStore } from "../harness/named.ts";

const SLOW_MS = 1000;
/** Parts begin and end anywhere in blocks. */
const PART_BYTES = 30_001;
const HOUR_MS = 3_600_000;
const SERVERS = [0, 1, 2, 3];
const VID = vidOf(1);
/** Two pieces of two blocks and some bytes. */
const PIECE_BYTES = 2 * BLOCK_BYTES + 7;
const PIECES = [1, 2].map((fill) => new Uint8Array(PIECE_BYTES).fill(fill));

const version = versionOf({
  vid: VID,
  pieces: PIECES.length,
  needed: PIECES.length,
  copies: 2,
  ring: ringFrom(0, PIECES.length),
  size: PIECES.length * PIECE_BYTES,
  body: encodeManifest({
    attributes: NO_ATTRIBUTES,
    roots: PIECES.map((data, piece) =>
      rootOf(VID, piece, PIECE_BYTES, sumsOf(VID, piece, 0, data)),
    ),
  }),
});

/** What a server does that is not well: it answers with an error, or other bytes than it should, or late. */
type Trouble = ErrorCode | "rot" | "breaks" | "too much" | { readonly ms: number };

const isError = (trouble: Trouble | undefined): trouble is ErrorCode =>
  typeof trouble === "string" && !["rot", "breaks", "too much"].includes(trouble);

/** A fetcher, and the servers that it asks; what they are asked for is noted as "slot: kind". */
class Stage {
  readonly world = new World(1);
  readonly asked: string[] = [];
  readonly warned: string[] = [];
  readonly troubles: Record<number, Trouble> = {};
  readonly fetcher: Fetcher;

  /** `holders` of each piece. */
  constructor(holders: readonly (readonly number[])[]) {
    const servers = {
      live: SERVERS,
      labelOf: (slot: number) => `DFS${slot + 1}`,
      space: { shown: (name: string) => `the file ${name}` },
      warn: (line: string) => void this.warned.push(line),
      call: async (slot: number, kind: "sums", part: BodyOf<"sums">) => {
        this.asked.push(`${slot}: ${kind}`);
        return { data: await this.#answer(slot, kind, part) };
      },
      fetch: async (slot: number, part: BodyOf<"fetch">, take: Taker) => {
        this.asked.push(`${slot}: fetch`);
        const data = await this.#answer(slot, "fetch", part);
        for (let at = 0; at < data.length; at += PART_BYTES) {
          const lent = data.slice(at, at + PART_BYTES);
          take(lent);
          lent.fill(0xee);
          if (this.troubles[slot] === "breaks") throw new DfsError("down", "the connection broke");
        }
        if (this.troubles[slot] === "too much") take(new Uint8Array(1));
      },
    };
    const patience = { clock: this.world.clock(), ms: SLOW_MS };
    this.fetcher = new Fetcher(servers, patience, inStore("name"), version);
    this.fetcher.aim(holders, []);
  }

  async #answer(slot: number, kind: "fetch" | "sums", { piece, offset, length }: BodyOf<"fetch">) {
    const trouble = this.troubles[slot];
    await this.world.sleep(typeof trouble === "object" ? trouble.ms : 1);
    if (isError(trouble)) throw new DfsError(trouble, "no");
    const whole = PIECES[piece]!;
    const data = (kind === "sums" ? sumsOf(VID, piece, 0, whole) : whole).slice(
      offset,
      offset + length,
    );
    if (trouble === "rot") data[0]! ^= 1;
    return data;
  }

  /** Some bytes of a piece, all of it where nothing else is said. */
  get(piece: number, offset = 0, most = HOUR_MS): Uint8Array {
    this.asked.length = 0;
    return this.world.finish(this.fetcher.fetch(piece, offset, most));
  }
}

test("each piece comes from one server, and as many work as can", () => {
  const stage = new Stage([
    [0, 1],
    [0, 1],
  ]);
  const both = [0, 1].map((piece) => {
    expect(stage.get(piece)).toEqual(PIECES[piece]!);
    return stage.asked.join();
  });
  expect(both.toSorted()).toEqual(["0: fetch", "1: fetch"]);
});

test("part of a piece is held to sums that its root vouches for", () => {
  const stage = new Stage([[0, 1], []]);
  expect(stage.get(0, BLOCK_BYTES, BLOCK_BYTES)).toEqual(
    PIECES[0]!.subarray(BLOCK_BYTES, 2 * BLOCK_BYTES),
  );
  expect(stage.asked).toEqual(["0: sums", "0: fetch"]);
  // The sums are at hand then.
  expect(stage.get(0, 2 * BLOCK_BYTES)).toHaveLength(7);
  expect(stage.asked).toEqual(["0: fetch"]);
  expect(stage.get(0, PIECE_BYTES)).toHaveLength(0);
  expect(stage.asked).toEqual([]);
});

test("who lacks the piece or is down is passed over without a word, and asked last from then on", () => {
  const stage = new Stage([[0, 1, 2], []]);
  Object.assign(stage.troubles, { 0: "noPiece", 1: "down" });
  expect(stage.get(0)).toEqual(PIECES[0]!);
  expect(stage.asked).toEqual(["0: fetch", "1: fetch", "2: fetch"]);
  stage.get(0);
  expect(stage.asked).toEqual(["2: fetch"]);
  expect(stage.warned).toEqual([]);
  expect(stage.fetcher.sawRot).toBe(false);
});

test("who sends something else is named, and its rot remembered", () => {
  const stage = new Stage([[0, 1], []]);
  stage.troubles[0] = "rot";
  expect(stage.get(0)).toEqual(PIECES[0]!);
  expect(stage.warned).toEqual([
    "the file name: DFS1: piece 1 arrived damaged; trying another copy",
  ]);
  expect(stage.fetcher.sawRot).toBe(true);
  stage.get(0);
  expect(stage.asked).toEqual(["1: fetch"]);
});

test("what comes is put at once, and what was put in vain is written over", () => {
  for (const trouble of ["rot", "breaks", "too much"] as const) {
    const stage = new Stage([[0, 1], []]);
    stage.troubles[0] = trouble;
    const there = new Uint8Array(PIECE_BYTES);
    const places: number[] = [];
    const bringing = stage.fetcher.bring(0, 0, HOUR_MS, (part, at) => {
      there.set(part, at);
      places.push(at);
    });
    stage.world.finish(bringing);
    expect(there).toEqual(PIECES[0]!);
    expect(stage.asked).toEqual(["0: fetch", "1: fetch"]);
    const whole = Array.from({ length: 5 }, (_, i) => i * PART_BYTES);
    expect(places).toEqual([...(trouble === "breaks" ? [0] : whole), ...whole]);
    expect(stage.fetcher.sawRot).toBe(trouble !== "breaks");
  }
});

test("what a slow server sends when another one has given the piece is put nowhere", () => {
  const stage = new Stage([[0, 1], []]);
  stage.troubles[0] = { ms: 2 * SLOW_MS };
  const there = new Uint8Array(PIECE_BYTES);
  let puts = 0;
  const bringing = stage.fetcher.bring(0, 0, HOUR_MS, (part, at) => {
    there.set(part, at);
    puts++;
  });
  stage.world.finish(bringing);
  expect(there).toEqual(PIECES[0]!);
  expect(puts).toBe(1);
  stage.world.pass(2 * SLOW_MS);
  expect(puts).toBe(1);
});

test("who answers with another error is named, and that is no rot", () => {
  const stage = new Stage([[0, 1], []]);
  stage.troubles[0] = "failed";
  expect(stage.get(0)).toEqual(PIECES[0]!);
  expect(stage.warned).toEqual(["the file name: DFS1: no; trying another copy"]);
  expect(stage.fetcher.sawRot).toBe(false);
});

test("who is slow is asked last from then on, and not named", () => {
  const stage = new Stage([[0, 1], []]);
  stage.troubles[0] = { ms: HOUR_MS };
  expect(stage.get(0)).toEqual(PIECES[0]!);
  expect(stage.world.now).toBe(SLOW_MS + 1);
  stage.get(0);
  expect(stage.asked).toEqual(["1: fetch"]);
  expect(stage.warned).toEqual([]);
});

test("who is not said to hold the piece is asked last, and only then there is none", () => {
  const stage = new Stage([[2], []]);
  for (const slot of SERVERS) stage.troubles[slot] = "noPiece";
  const error = errorOf("noPiece", () => stage.get(0));
  expect(error.message).toBe("no server gives this piece");
  expect(stage.asked).toEqual(["2: fetch", "0: fetch", "1: fetch", "3: fetch"]);
  errorOf("noPiece", () => stage.get(1));
});

test("a piece that is here is asked for only where it does not verify", () => {
  const stage = new Stage([[0], [1]]);
  const rotten = PIECES[1]!.with(3, 0);
  stage.fetcher.aim(
    [[0], [1]],
    [
      { piece: 0, data: PIECES[0]! },
      { piece: 1, data: rotten },
    ],
  );
  expect(stage.get(0, BLOCK_BYTES, 5)).toEqual(PIECES[0]!.subarray(0, 5));
  expect(stage.asked).toEqual([]);
  expect(stage.get(1)).toEqual(PIECES[1]!);
  expect(stage.asked).toEqual(["1: fetch"]);
});
