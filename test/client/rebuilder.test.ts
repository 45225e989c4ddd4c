/** Chunks of pieces that are there or are made of others: which pieces are read for that, and when. */
import { describe, expect, test } from "bun:test";
import { Rebuilder } from "../../src/client/fetch/rebuilder.ts";
import { codeOfCut } from "../../src/file/parity/parity.ts";
import { dataPieces, parityPieces } from "../../src/file/split.ts";
import { DfsError } from "../../src/errors.ts";
import { chunkBytes, type Cut } from "../../src/file/split.ts";
import { CHUNK_BYTES } from "../../src/limits.ts";
import { World } from "../sim/world.ts";
import { errorOf } from "../harness/thrown.ts";

const SLOW_MS = 1000;
const HOUR_MS = 3_600_000;
/** A last stripe alone, in which the first data piece is a byte longer than the others. */
const CUT: Cut = { size: 3 * 1000 + 1, pieces: 5, needed: 3, striped: true };
const HELD = [[0], [1], [2], [3], [4]];

/** The bytes of all pieces of the file. */
function piecesOf(cut: Cut): Uint8Array[] {
  const stripe = codeOfCut(cut).stripe(CHUNK_BYTES);
  const longest = chunkBytes(cut, 0, 0);
  for (const piece of dataPieces(cut)) {
    const data = Uint8Array.from({ length: chunkBytes(cut, piece, 0) }, (_, i) => i * (piece + 3));
    stripe.pieces[piece]?.fill(0, data.length, longest).set(data);
  }
  stripe.make(parityPieces(cut), dataPieces(cut), longest);
  const all = stripe.pieces.map((data, piece) => data.slice(0, chunkBytes(cut, piece, 0)));
  stripe.release();
  return all;
}

const PIECES = piecesOf(CUT);

/** A rebuilder, and what it fetches: each piece after so long, or "gone". */
class Stage {
  readonly world = new World(1);
  readonly asked: number[] = [];
  readonly courses: Record<number, number | "gone"> = {};
  readonly rebuilder: Rebuilder;

  constructor(holders: readonly (readonly number[])[] = HELD) {
    const patience = { clock: this.world.clock(), ms: SLOW_MS };
    this.rebuilder = new Rebuilder(patience, CUT, async (piece, offset, most) => {
      this.asked.push(piece);
      const course = this.courses[piece] ?? 1;
      if (course === "gone") throw new DfsError("noPiece", "gone");
      await this.world.sleep(course);
      return PIECES[piece]!.slice(offset, offset + most);
    });
    this.rebuilder.aim(holders);
  }

  /** Reads these pieces, which must be what they are; tells which it took, and how long. */
  read(pieces: readonly number[]): { asked: number[]; ms: number } {
    this.asked.length = 0;
    const begun = this.world.now;
    const portion = { pieces, offset: 0, length: CHUNK_BYTES };
    const got = this.world.finish(this.rebuilder.read(portion));
    expect(got).toEqual(pieces.map((piece) => PIECES[piece]!));
    return { asked: [...this.asked], ms: this.world.now - begun };
  }
}

describe("where all is there", () => {
  test("only what is wanted is read", () => {
    const stage = new Stage();
    expect(stage.read([0, 1, 2]).asked).toEqual([0, 1, 2]);
    expect(stage.read([1]).asked).toEqual([1]);
  });

  test("one that is slow is made of others, and asked for last from then on", () => {
    const stage = new Stage();
    stage.courses[1] = HOUR_MS;
    expect(stage.read([0, 1, 2])).toEqual({ asked: [0, 1, 2, 3], ms: SLOW_MS + 1 });
    expect(stage.read([0, 1, 2])).toEqual({ asked: [0, 2, 3], ms: 1 });
  });

  test("as many as it takes to make one are asked for at once", () => {
    const stage = new Stage();
    stage.courses[1] = HOUR_MS;
    expect(stage.read([1])).toEqual({ asked: [1, 0, 2, 3], ms: SLOW_MS + 1 });
  });

  test("one that is slow but comes before the others is taken", () => {
    const stage = new Stage();
    Object.assign(stage.courses, { 0: HOUR_MS, 1: SLOW_MS + 5, 2: HOUR_MS, 3: HOUR_MS });
    expect(stage.read([1])).toEqual({ asked: [1, 0, 2, 3], ms: SLOW_MS + 5 });
  });
});

describe("where something is missing", () => {
  test("any so many pieces will do, whichever are gone", () => {
    for (const one of PIECES.keys())
      for (const other of PIECES.keys()) {
        const stage = new Stage();
        stage.courses[one] = "gone";
        stage.courses[other] = "gone";
        stage.read([0, 1, 2]);
        expect(new Set(stage.asked).size).toBe(stage.asked.length);
        stage.read([0, 1, 2]);
        expect(stage.asked).not.toContain(one);
        expect(stage.asked).not.toContain(other);
      }
  });

  test("what nobody says to hold is asked for last", () => {
    const stage = new Stage([[0], [], [2], [3], [4]]);
    expect(stage.read([0, 1, 2]).asked).toEqual([0, 2, 3]);
    Object.assign(stage.courses, { 3: "gone", 4: "gone" });
    expect(stage.read([0, 1, 2]).asked).toEqual([0, 2, 3, 4, 1]);
  });

  test("with too few pieces it cannot be had", () => {
    const stage = new Stage();
    for (const piece of [0, 2, 4]) stage.courses[piece] = "gone";
    errorOf("noPiece", () => stage.read([0]));
    expect(new Set(stage.asked)).toEqual(new Set([0, 1, 2, 3, 4]));
    // One that is there needs no others.
    expect(stage.read([1]).asked).toEqual([1]);
  });
});
