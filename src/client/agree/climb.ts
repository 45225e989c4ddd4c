/**
 * Climbing (docs/consistency.md section 12). A server accepts a ballot only up to its bound, which
 * lies a step above its promise. A server that is behind is asked to promise its bound, again and
 * again, until the ballot fits. Nobody proposes at such a ballot, and everybody may ask for it.
 * Used by rounds and repair.
 */
import type { StoredName } from "../../file/names.ts";
import { isDfsError } from "../../errors.ts";
import { CLIMB_STEPS, STRAGGLER_MS } from "../../limits.ts";
import {
  type Ballot,
  boundOf,
  type Refusal,
  type Register,
  roundOf,
  type Vid,
} from "../../version.ts";
import { claimsIn, vouchedFor } from "./ballots.ts";
import type { Cluster } from "../connect/cluster.ts";
import { pause } from "../connect/pause.ts";

/**
 * What decides which ballots a server accepts: its promise for the name, and the floor of the
 * space.
 */
export interface Position {
  readonly prom: Ballot;
  readonly floor: Ballot;
}
export type PositionReply = Position & { readonly refused: Refusal | null };

/** The servers that refused a ballot because it is too high for them. */
export const tooHighFor = (
  replies: ReadonlyMap<number, PositionReply>,
): Map<number, PositionReply> =>
  new Map([...replies].filter(([, { refused }]) => refused === "high"));

const fits = (ballot: Ballot, { prom, floor }: Position): boolean =>
  roundOf(ballot) <= roundOf(boundOf(prom, floor));

/**
 * Brings these servers up towards a ballot of a name: all at once, at most CLIMB_STEPS steps each.
 * Returns whether any of them came nearer, so that asking again is worth it. `reached` receives the
 * new position of each server that did.
 */
export async function climb(
  cluster: Cluster,
  name: StoredName,
  ballot: Ballot,
  refusing: ReadonlyMap<number, Position>,
  reached = new Map<number, Position>(),
): Promise<boolean> {
  let isNearer = false;
  const climbs = [...refusing].map(async ([slot, refused]) => {
    const at = await climbOne(cluster, name, ballot, slot, refused);
    if (boundOf(at.prom, at.floor) <= boundOf(refused.prom, refused.floor)) return;
    isNearer = true;
    reached.set(slot, at);
  });
  // Once one server is through, slower ones have only a moment left.
  const first = Promise.race(climbs).then(() => pause(cluster, STRAGGLER_MS));
  await Promise.race([Promise.all(climbs), first]);
  return isNearer;
}

/**
 * How often repair climbs for one name. A server that is still behind comes nearer with the next
 * repair.
 */
const REPAIR_CLIMBS = 16;

/**
 * Brings servers that are too far behind up to the promises of the others, so that they can take
 * what the others have.
 */
export async function bringUp(
  cluster: Cluster,
  name: StoredName,
  answers: ReadonlyMap<number, { readonly register: Register; readonly floor: Ballot }>,
): Promise<void> {
  const known = new Map(
    [...answers].map(([slot, { register, floor }]) => [slot, { prom: register.prom, floor }]),
  );
  const top = vouchedFor(claimsIn(answers));
  for (let climbs = 0; climbs < REPAIR_CLIMBS; climbs++) {
    const behind = new Map([...known].filter(([, at]) => !fits(top, at)));
    if (!(await climb(cluster, name, top, behind, known))) return;
  }
}

async function climbOne(
  cluster: Cluster,
  name: StoredName,
  ballot: Ballot,
  slot: number,
  from: Position,
): Promise<Position> {
  // The promise is for a version that nobody makes.
  const vid: Vid = cluster.ports.random.bytes(16).toHex();
  let at = from;
  try {
    // rule: who-is-behind-climbs
    for (let step = 0; step < CLIMB_STEPS && !fits(ballot, at); step++) {
      const bound = boundOf(at.prom, at.floor);
      const body = { name, ballot: bound, vid, link: null, inline: [] };
      const reply = await cluster.call(slot, "prepare", body);
      const next = { prom: reply.register.prom, floor: reply.floor };
      // A server lies if it says that it promised, and its bound does not rise.
      if (boundOf(next.prom, next.floor) <= bound) break;
      at = next;
    }
  } catch (error) {
    if (!isDfsError(error)) throw error;
    cluster.reportError(slot, error);
  }
  return at;
}
