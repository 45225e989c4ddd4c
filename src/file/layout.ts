/**
 * Layouts, as people write them and as shapes of versions: `pairs`, or `rs:K+M` for K data and M
 * parity pieces. Used by client and cli.
 */
import { DfsError } from "../errors.ts";
import { COPIES, DATA_PIECES_MAX, PARITY_PIECES_MAX } from "../limits.ts";
import { type Cut, hasParity } from "./split.ts";

export type Layout =
  { readonly is: "pairs" } | { readonly is: "rs"; readonly data: number; readonly parity: number };

export const PAIRS: Layout = { is: "pairs" };

/** Reads a layout. Throws DfsError("usage") where the text is none. */
export function layoutOf(text: string): Layout {
  if (text === "pairs") return PAIRS;
  const [, data, parity] = (/^rs:(\d+)\+(\d+)$/.exec(text) ?? []).map(Number);
  const isOne = (n: number | undefined, most: number): n is number => !!n && n <= most;
  if (isOne(data, DATA_PIECES_MAX) && isOne(parity, PARITY_PIECES_MAX))
    return { is: "rs", data, parity };
  throw new DfsError(
    "usage",
    `${text} is no layout: it is pairs, or rs:K+M with K from 1 to ${DATA_PIECES_MAX} and M from 1 to ${PARITY_PIECES_MAX}`,
  );
}

/**
 * How many pieces a version has, how many different pieces make the file, and on how many servers
 * each lies; and whether the pieces are cut by stripes.
 */
export interface Shape {
  readonly pieces: number;
  readonly needed: number;
  readonly copies: number;
  readonly striped: boolean;
}

/** The shape that a layout has on `y` servers. Throws DfsError("usage") where these are too few. */
export function shapeOf(layout: Layout, y: number): Shape {
  if (layout.is === "pairs")
    return { pieces: y, needed: y, copies: Math.min(COPIES, y), striped: false };
  const pieces = layout.data + layout.parity;
  if (pieces <= y) return { pieces, needed: layout.data, copies: 1, striped: true };
  throw new DfsError(
    "usage",
    `the layout rs:${layout.data}+${layout.parity} takes ${pieces} servers, and there are ${y}`,
  );
}

/** The layout of a version, for people. */
export const layoutName = (cut: Pick<Cut, "pieces" | "needed">): string =>
  hasParity(cut) ? `rs:${cut.needed}+${cut.pieces - cut.needed}` : "pairs";
