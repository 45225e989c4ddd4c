/**
 * Servers that were listed when the cluster was founded, and come later: whoever opens the cluster as an operator gives them the seats
 * that are kept for them, over an epoch of both like any change of the members. Reads and writes go on meanwhile, and where it fails.
 */
import { type DfsError, isDfsError } from "../../errors.ts";
import { JOIN_MS, JOIN_NAMES_MAX } from "../../limits.ts";
import { takeSeats } from "../../membership.ts";
import { goByChosen } from "../agree/change.ts";
import type { Cluster } from "../connect/cluster.ts";
import { canAccept } from "../../quorum.ts";
import { pagesIn } from "../files/list.ts";
import { change } from "./members.ts";
import { finishChange, goersIn } from "./migrate.ts";
import { isOpen, lineOf, shortFor, type Stranger, strangersIn } from "./seats.ts";
import { allSpacesIn } from "../files/spaces.ts";

/**
 * Opening a cluster: who is late joins, if there are few names to agree on anew; more are left to repair. Says what does not count
 * after it, and never throws for what servers do.
 */
export async function seatLate(cluster: Cluster): Promise<void> {
  if (!cluster.connections.isOperator) return;
  let isOver = false;
  const warn = (error: DfsError): void => {
    if (!isOver) cluster.warn(error.message);
  };
  const work = isWorth(cluster) ? joinFew(cluster, warn) : Promise.resolve();
  await atMost(cluster, JOIN_MS, work);
  isOver = true;
  for (const stranger of strangersIn(cluster)) cluster.warn(lineOf(cluster, stranger));
}

/** Is anybody late, or in the midst of joining, and do enough servers answer for it? */
function isWorth(cluster: Cluster): boolean {
  if (isJoining(cluster)) return canAccept(cluster.view.quorum, cluster.live);
  const slots = lateIn(cluster).map(({ slot }) => slot);
  return slots.length > 0 && !cluster.view.config.next && !shortFor(cluster, slots);
}

/** Is a change under way by which all that decide stay? Another one may have to move pieces first. */
function isJoining(cluster: Cluster): boolean {
  const { voters, next } = cluster.view.config;
  return next !== null && voters.every((slot) => next.includes(slot));
}

async function joinFew(cluster: Cluster, warn: (error: DfsError) => void): Promise<void> {
  try {
    if (await areFew(cluster)) await joinAll(cluster);
  } catch (error) {
    if (!isDfsError(error)) throw error;
    warn(error);
  }
}

/** Has all that are late join, and brings a joining that was begun to its end. Throws DfsError("tooFew", "failed"). */
async function joinAll(cluster: Cluster): Promise<void> {
  if (isJoining(cluster)) await finishChange(cluster);
  if (lateIn(cluster).length === 0) return;
  await goByChosen(cluster);
  const late = cluster.view.config.next ? [] : await initAll(cluster, lateIn(cluster));
  const slots = late.map(({ slot }) => slot);
  if (late.length === 0 || shortFor(cluster, slots)) return;
  const servers = late.map(
    ({ slot, greeting: { sid }, peer: { address } }) =>
      [slot, { sid, host: address.host, port: address.port }] as const,
  );
  await change(cluster, takeSeats(cluster.view.config, new Map(servers)));
  await finishChange(cluster);
}

/** Brings a change of the members to its end, and has those join that are late, if that can be done. */
export async function finishAndJoin(cluster: Cluster): Promise<boolean> {
  try {
    await goByChosen(cluster);
    if (goersIn(cluster).length > 0) return false;
    await finishChange(cluster);
    await joinAll(cluster);
    return true;
  } catch (error) {
    if (!isDfsError(error)) throw error;
    return false;
  }
}

const lateIn = (cluster: Cluster): Stranger[] =>
  strangersIn(cluster).filter(
    ({ is, peer }) => is === "late" && !peer.isDown && !isOpen(cluster, peer),
  );

/** Has them join the cluster; those that did. */
async function initAll(cluster: Cluster, late: readonly Stranger[]): Promise<Stranger[]> {
  const all = await Promise.all(
    late.map(async (one) => {
      try {
        await one.peer.init(cluster.id);
        return [one];
      } catch (error) {
        if (!isDfsError(error)) throw error;
        return [];
      }
    }),
  );
  return all.flat();
}

/** Are there so few names that it takes no time to agree on them anew? */
async function areFew(cluster: Cluster): Promise<boolean> {
  let count = 0;
  for (const space of await allSpacesIn(cluster)) {
    if (++count > JOIN_NAMES_MAX) return false;
    for await (const { names } of pagesIn(space, "", false)) {
      count += names.length;
      if (count > JOIN_NAMES_MAX) return false;
    }
  }
  return true;
}

/** Resolves when the work is done, or after so many milliseconds, and it goes on. */
function atMost({ ports: { clock } }: Cluster, ms: number, work: Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(ms, resolve);
    work.then(resolve, reject).finally(cancel);
  });
}
