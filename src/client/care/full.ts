/**
 * The servers that have no room, as repair finds them out. A piece that has all its copies stays
 * where it is while its home has no room for it: disks of different sizes are a normal state. Used
 * by repair.
 */
import { pieceBytes } from "../../file/split.ts";
import type { DfsError } from "../../errors.ts";
import type { Version } from "../../version.ts";
import type { Held } from "../../wire/values.ts";
import type { Cluster } from "../connect/cluster.ts";
import { type Diagnosis, droppable } from "./diagnose.ts";
import { copiesShort, holdersOf } from "../fetch/holders.ts";

/** What servers say they hold, by slot. */
type HeldBySlot = ReadonlyMap<number, { readonly held: readonly Held[] }>;

export class FullServers {
  /** For each full server, by slot, a number of bytes that it does not take. */
  readonly #refusedBytes = new Map<number, number>();

  /** Notes that this server does not take so many bytes. */
  add(slot: number, bytes: number): void {
    this.#refusedBytes.set(slot, Math.min(bytes, this.#refusedBytes.get(slot) ?? Infinity));
  }

  /** Notes the servers that refused a piece of this version for want of room. */
  learn(version: Version, refused: ReadonlyMap<number, DfsError>): void {
    const sizes = Array.from({ length: version.pieces }, (_, piece) => pieceBytes(version, piece));
    for (const [slot, { code }] of refused)
      if (code === "noRoom") this.add(slot, Math.min(...sizes));
  }

  /**
   * The part of the diagnosis that can be carried out. It leaves out copies that the version does
   * not need and that their home has no room for; `displaced` counts these.
   */
  feasible(
    found: Diagnosis,
    version: Version | null,
    replies: HeldBySlot,
    places: number,
  ): Diagnosis & { readonly displaced: number } {
    if (!version || this.#refusedBytes.size === 0 || found.missing.length === 0)
      return { ...found, displaced: 0 };
    const isWhole = copiesShort(version, holdersOf(version, replies), places) === 0;
    if (!isWhole) return { ...found, displaced: 0 };
    const staying = new Set<number>();
    let displaced = 0;
    const missing = found.missing.flatMap((lacking) => {
      const bytes = pieceBytes(version, lacking.piece);
      const to = lacking.to.filter((slot) => bytes < (this.#refusedBytes.get(slot) ?? Infinity));
      if (to.length === lacking.to.length) return [lacking];
      displaced += lacking.to.length - to.length;
      staying.add(lacking.piece);
      return to.length > 0 ? [{ ...lacking, to }] : [];
    });
    // The copies that lie elsewhere are needed there.
    return { ...found, missing, away: droppable(version, found.away, staying), displaced };
  }
}

/**
 * The servers that say now that they are full, for a dry run, which sends nothing. What their idle
 * content takes does not count as room.
 */
export async function fullServersNow(cluster: Cluster): Promise<FullServers> {
  const { replies } = await cluster.ask(
    "status",
    () => ({}),
    () => null,
  );
  const full = new FullServers();
  for (const [slot, { free, short }] of replies)
    if (free !== null) full.add(slot, short === "" ? free + 1 : 0);
  return full;
}
