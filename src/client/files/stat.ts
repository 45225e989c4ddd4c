/**
 * `stat`: everything that is known of one file, and which server holds which piece. Used by the
 * stat command.
 */
import type { Attributes } from "../../file/attributes.ts";
import { layoutName } from "../../file/layout.ts";
import { pieceLengths } from "../../file/manifest.ts";
import type { Name } from "../../file/names.ts";
import type { Vid } from "../../version.ts";
import type { Cluster } from "../connect/cluster.ts";
import { currentOf, factsOf } from "./get.ts";
import { holdersOf } from "../fetch/holders.ts";
import { type Reading, readName } from "../agree/register.ts";
import { hearsMore } from "../connect/silent.ts";

export interface Stat {
  readonly name: Name;
  readonly vid: Vid;
  readonly seq: number;
  readonly bytes: number;
  /** The name that servers know it by; null where that is its own name. */
  readonly stored: string | null;
  readonly attributes: Attributes;
  readonly layout: string;
  /** Are its pieces cut by stripes? */
  readonly striped: boolean;
  readonly rotation: number;
  readonly isIncomplete: boolean;
  /** The servers of the cluster, also the awaited ones. Their pieces count from 1. */
  readonly servers: {
    readonly slot: number;
    readonly name: string;
    readonly state: "up" | "down" | "awaited";
    readonly pieces: number[];
  }[];
  /** Pieces from 1: their lengths, and the slots (from 0) of the servers that hold them. */
  readonly pieces: { readonly piece: number; readonly bytes: number; readonly servers: number[] }[];
}

/**
 * Everything that is known of one file. Throws DfsError("noSuchName"), ("tooFew"), ("incomplete").
 */
export async function stat(cluster: Cluster, name: Name, tries = 0): Promise<Stat> {
  const { arrivals } = cluster;
  const stored = cluster.space.stored(name);
  const reading = await readName(cluster, stored);
  const version = currentOf(cluster, name, reading);
  const { attributes, bytes } = factsOf(cluster, name, stored, version);
  const holders = holdersOf(version, reading.replies);
  const isIncomplete = holders.filter((slots) => slots.length > 0).length < version.needed;
  // A server that was silent until now may have what is missing.
  if (isIncomplete && (await hearsMore(cluster, arrivals, tries)))
    return stat(cluster, name, tries + 1);
  const { vid, seq, ring } = version;
  return {
    name,
    vid,
    seq,
    bytes,
    stored: cluster.space.guard ? stored : null,
    attributes,
    layout: layoutName(version),
    striped: version.striped,
    rotation: ring[0] ?? 0,
    isIncomplete,
    servers: reading.view.listed.map((slot) => ({
      slot,
      name: cluster.labelOf(slot),
      state: stateOf(reading, slot),
      pieces: holders.flatMap((slots, piece) => (slots.includes(slot) ? [piece + 1] : [])),
    })),
    pieces: pieceLengths(version).map((length, piece) => ({
      piece: piece + 1,
      bytes: length,
      servers: holders[piece] ?? [],
    })),
  };
}

function stateOf({ replies, view }: Reading, slot: number): "up" | "down" | "awaited" {
  if (replies.has(slot)) return "up";
  return view.config.seats[slot]?.sid === null ? "awaited" : "down";
}
