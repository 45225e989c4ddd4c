/** Is a server needed? What would become of the files without it. */
import { DfsError } from "../errors.ts";
import type { Cluster } from "./cluster.ts";
import { conclude, hereOf, type NameSaid, namesIn } from "./list.ts";
import { allSpacesIn } from "./spaces.ts";

/** What hangs on one server. */
export interface Need {
  /** Files that cannot be had without it, as far as the servers that answer can tell, and the names of the first few. */
  readonly files: number;
  readonly names: readonly string[];
  /** Pieces of current versions that lie on it. */
  readonly pieces: number;
  /** Does it tell of all names? Not where its records are damaged. */
  readonly isTold: boolean;
  /** How many servers the files with the most parity take. */
  readonly width: number;
}

const NAMES_SHOWN = 3;

async function* namesInAll(cluster: Cluster): AsyncGenerator<NameSaid> {
  for (const space of await allSpacesIn(cluster)) yield* namesIn(space, "", false);
}

/** Looks through all names of all users. Throws DfsError("tooFew") when too few servers answer, and ("down") when this one is too slow to. */
export async function needOf(cluster: Cluster, slot: number): Promise<Need> {
  let [files, pieces, width] = [0, 0, 0];
  const names: string[] = [];
  let isTold = true;
  for await (const one of namesInAll(cluster)) {
    if (cluster.peer(slot) && !one.answering.includes(slot))
      throw new DfsError(
        "down",
        `${cluster.labelOf(slot)} does not answer in time what lies on it: try again`,
      );
    isTold &&= !one.answering.includes(slot) || one.vouching.includes(slot);
    const { is, state } = conclude(one);
    if (is === "tooFew")
      throw new DfsError(
        "tooFew",
        `too few servers answer to tell whether ${cluster.labelOf(slot)} is needed`,
      );
    if (!state || state.deleted) continue;
    const held = [...one.said].flatMap(([from, told]) => {
      const here = hereOf(told, state.vid);
      return here ? [{ from, pieces: here.held }] : [];
    });
    const elsewhere = new Set(held.flatMap((told) => (told.from === slot ? [] : told.pieces)));
    pieces += held.find(({ from }) => from === slot)?.pieces.length ?? 0;
    if (state.pieces > state.needed) width = Math.max(width, state.pieces);
    if (is === "current" && elsewhere.size >= state.needed) continue;
    files++;
    if (names.length < NAMES_SHOWN) names.push(one.name);
  }
  return { files, names, pieces, isTold, width };
}
