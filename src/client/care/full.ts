/**
 * What servers have no room for, as repair finds out: a piece that has all its copies stays where it is while its home cannot take it. Disks
 * of different sizes are a normal state.
 */
import { pieceBytes } from "../../file/split.ts";
import type { DfsError } from "../../errors.ts";
import type { Version } from "../../version.ts";
import type { Held } from "../../wire/values.ts";
import type { Cluster } from "../connect/cluster.ts";
import { type Diagnosis, goingBeside } from "./diagnose.ts";
import { copiesShort, holdersOf } from "../fetch/holders.ts";

/** What servers say they hold, by slot. */
type Told = ReadonlyMap<number, { readonly held: readonly Held[] }>;

export class Full {
  /** By slot how many bytes are too many. */
  readonly #tooMany = new Map<number, number>();

  /** This server does not take so many bytes. */
  add(slot: number, bytes: number): void {
    this.#tooMany.set(slot, Math.min(bytes, this.#tooMany.get(slot) ?? Infinity));
  }

  /** Learns of servers that did not take a piece of this version. */
  learn(version: Version, refused: ReadonlyMap<number, DfsError>): void {
    const sizes = Array.from({ length: version.pieces }, (_, piece) => pieceBytes(version, piece));
    for (const [slot, { code }] of refused)
      if (code === "noRoom") this.add(slot, Math.min(...sizes));
  }

  /** What is to be done but for what is in vain and not needed; and how many copies stay away from home by that. */
  without(
    found: Diagnosis,
    version: Version | null,
    told: Told,
    places: number,
  ): Diagnosis & { readonly displaced: number } {
    if (!version || this.#tooMany.size === 0 || found.missing.length === 0)
      return { ...found, displaced: 0 };
    const isWhole = copiesShort(version, holdersOf(version, told), places) === 0;
    if (!isWhole) return { ...found, displaced: 0 };
    const staying = new Set<number>();
    let displaced = 0;
    const missing = found.missing.flatMap((one) => {
      const bytes = pieceBytes(version, one.piece);
      const to = one.to.filter((slot) => bytes < (this.#tooMany.get(slot) ?? Infinity));
      if (to.length === one.to.length) return [one];
      displaced += one.to.length - to.length;
      staying.add(one.piece);
      return to.length > 0 ? [{ ...one, to }] : [];
    });
    // The copies that are elsewhere are needed there.
    return { ...found, missing, away: goingBeside(version, found.away, staying), displaced };
  }
}

/** As servers say now, for whoever does not try: what they have in the trash is not counted as room. */
export async function fullNow(cluster: Cluster): Promise<Full> {
  const { replies } = await cluster.ask(
    "status",
    () => ({}),
    () => null,
  );
  const full = new Full();
  for (const [slot, { free, short }] of replies)
    if (free !== null) full.add(slot, short === "" ? free + 1 : 0);
  return full;
}
