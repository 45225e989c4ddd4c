/**
 * Climbing (CONSISTENCY.md section 12): a server goes along with a ballot only so far above what it has promised. One that is behind is
 * promised its bound, again and again, until the ballot fits. Nobody proposes at such a promise, and everybody may make it.
 */
import { isDfsError } from "../errors.ts";
import { CLIMB_STEPS, STRAGGLER_MS } from "../limits.ts";
import { type Ballot, boundOf, roundOf, type Vid } from "../version.ts";
import type { Cluster } from "./cluster.ts";
import { pause } from "./pause.ts";

/** What a server goes by that refuses a ballot. */
export interface Refused {
  readonly refused: "low" | "high" | null;
  readonly prom: Ballot;
  readonly floor: Ballot;
}

/** The servers among these that find a ballot too high. */
export const tooHighFor = (replies: ReadonlyMap<number, Refused>): Map<number, Refused> =>
  new Map([...replies].filter(([, { refused }]) => refused === "high"));

const fits = (ballot: Ballot, { prom, floor }: Refused): boolean =>
  roundOf(ballot) <= roundOf(boundOf(prom, floor));

/**
 * Brings these servers up towards a ballot of a name, so many steps each, all at once. Returns whether any of them is nearer than before:
 * if so it is worth asking them again.
 */
export async function climb(
  cluster: Cluster,
  name: string,
  ballot: Ballot,
  refusing: ReadonlyMap<number, Refused>,
): Promise<boolean> {
  let isNearer = false;
  const ways = [...refusing].map(async ([slot, refused]) => {
    if (await climbOne(cluster, name, ballot, slot, refused)) isNearer = true;
  });
  // Nobody waits for one that takes its time once another is there.
  const first = Promise.race(ways).then(() => pause(cluster, STRAGGLER_MS));
  await Promise.race([Promise.all(ways), first]);
  return isNearer;
}

async function climbOne(
  cluster: Cluster,
  name: string,
  ballot: Ballot,
  slot: number,
  refused: Refused,
): Promise<boolean> {
  // The promise is for nobody's version.
  const vid: Vid = cluster.ports.random.bytes(16).toHex();
  let at = refused;
  try {
    for (let step = 0; step < CLIMB_STEPS && !fits(ballot, at); step++) {
      const bound = boundOf(at.prom, at.floor);
      const body = { name, ballot: bound, vid, inline: [] };
      const told = await cluster.call(slot, "prepare", body);
      const next = { refused: told.refused, prom: told.register.prom, floor: told.floor };
      // One that does not come nearer lies.
      if (boundOf(next.prom, next.floor) <= bound) break;
      at = next;
    }
  } catch (error) {
    if (!isDfsError(error)) throw error;
    cluster.mention(slot, error);
  }
  return boundOf(at.prom, at.floor) > boundOf(refused.prom, refused.floor);
}
