/**
 * Climbing (docs/consistency.md section 12): a server goes along with a ballot only so far above what it has promised. One that is behind is
 * promised its bound, again and again, until the ballot fits. Nobody proposes at such a promise, and everybody may make it.
 */
import { isDfsError } from "../errors.ts";
import { CLIMB_STEPS, STRAGGLER_MS } from "../limits.ts";
import {
  type Ballot,
  boundOf,
  type Refusal,
  type Register,
  roundOf,
  type Vid,
} from "../version.ts";
import { claimsIn, vouchedFor } from "./ballots.ts";
import type { Cluster } from "./cluster.ts";
import { pause } from "./pause.ts";

/** What a server goes by where it refuses a ballot. */
export interface At {
  readonly prom: Ballot;
  readonly floor: Ballot;
}
export type Refused = At & { readonly refused: Refusal | null };

/** The servers among these that find a ballot too high. */
export const tooHighFor = (replies: ReadonlyMap<number, Refused>): Map<number, Refused> =>
  new Map([...replies].filter(([, { refused }]) => refused === "high"));

const fits = (ballot: Ballot, { prom, floor }: At): boolean =>
  roundOf(ballot) <= roundOf(boundOf(prom, floor));

/**
 * Brings these servers up towards a ballot of a name, so many steps each, all at once. Returns whether any of them is nearer than before:
 * if so it is worth asking them again. Where they are then goes into `reached`.
 */
export async function climb(
  cluster: Cluster,
  name: string,
  ballot: Ballot,
  refusing: ReadonlyMap<number, At>,
  reached = new Map<number, At>(),
): Promise<boolean> {
  let isNearer = false;
  const ways = [...refusing].map(async ([slot, refused]) => {
    const at = await climbOne(cluster, name, ballot, slot, refused);
    if (boundOf(at.prom, at.floor) <= boundOf(refused.prom, refused.floor)) return;
    isNearer = true;
    reached.set(slot, at);
  });
  // Nobody waits for one that takes its time once another is there.
  const first = Promise.race(ways).then(() => pause(cluster, STRAGGLER_MS));
  await Promise.race([Promise.all(ways), first]);
  return isNearer;
}

/** Passes of climbing for one name in a repair. What is further behind comes nearer each time. */
const REPAIR_CLIMBS = 16;

/** Brings servers that are too far behind up to where others are, before what those have is brought to them. */
export async function bringUp(
  cluster: Cluster,
  name: string,
  told: ReadonlyMap<number, { readonly register: Register; readonly floor: Ballot }>,
): Promise<void> {
  const known = new Map(
    [...told].map(([slot, { register, floor }]) => [slot, { prom: register.prom, floor }]),
  );
  const top = vouchedFor(claimsIn(told));
  for (let climbs = 0; climbs < REPAIR_CLIMBS; climbs++) {
    const behind = new Map([...known].filter(([, at]) => !fits(top, at)));
    if (!(await climb(cluster, name, top, behind, known))) return;
  }
}

async function climbOne(
  cluster: Cluster,
  name: string,
  ballot: Ballot,
  slot: number,
  from: At,
): Promise<At> {
  // The promise is for nobody's version.
  const vid: Vid = cluster.ports.random.bytes(16).toHex();
  let at = from;
  try {
    for (let step = 0; step < CLIMB_STEPS && !fits(ballot, at); step++) {
      const bound = boundOf(at.prom, at.floor);
      const body = { name, ballot: bound, vid, inline: [] };
      const told = await cluster.call(slot, "prepare", body);
      const next = { prom: told.register.prom, floor: told.floor };
      // One that does not come nearer lies.
      if (boundOf(next.prom, next.floor) <= bound) break;
      at = next;
    }
  } catch (error) {
    if (!isDfsError(error)) throw error;
    cluster.mention(slot, error);
  }
  return at;
}
