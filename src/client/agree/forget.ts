/**
 * Forgets a name: removes its tombstone, or a row that holds nothing, from every server. Used by
 * repair.
 */
import type { StoredName } from "../../file/names.ts";
import type { Accepted } from "../../version.ts";
import type { Cluster, Round } from "../connect/cluster.ts";
import { sendCommit } from "./rounds.ts";

/** Did every member answer, and take it? A server that is too far behind answers, but refuses. */
const isByAll = ({ replies, view }: Round<"commit"> | Round<"read">): boolean =>
  // rule: tombstone-on-all
  replies.size === view.members.length &&
  [...replies.values()].every((reply) => !("refused" in reply) || reply.refused === null);

/**
 * A tombstone may go once all servers hold exactly it, durably. Then each server keeps only a
 * floor. A row that holds nothing may go at any time. Returns true when the name is gone from every
 * server. `isWorth` false: nothing is done.
 */
export async function forget(
  cluster: Cluster,
  name: StoredName,
  current: Accepted | null,
  isWorth: boolean,
  epoch: number,
): Promise<boolean> {
  if (!isWorth) return false;
  if (current && !(await isHeldByAll(cluster, name, current, epoch))) return false;
  const { replies, view } = await cluster.ask(
    "forget",
    () => ({ name, ballot: current?.ballot ?? 0n }),
    () => null,
    epoch,
  );
  return replies.size === view.members.length && [...replies.values()].every(({ ok }) => ok);
}

async function isHeldByAll(
  cluster: Cluster,
  name: StoredName,
  tombstone: Accepted,
  epoch: number,
): Promise<boolean> {
  const { ballot } = tombstone;
  const acknowledged = await sendCommit(
    cluster,
    name,
    tombstone,
    /* rule: tombstone-is-durable */ true,
    epoch,
  );
  if (!isByAll(acknowledged)) return false;
  const reading = await cluster.ask(
    "read",
    () => ({ name, asked: [] }),
    () => null,
    epoch,
  );
  if (!isByAll(reading)) return false;
  const { replies } = reading;
  return [...replies.values()].every(({ floor, register: { acc, com } }) =>
    acc || com ? acc?.ballot === ballot && com?.ballot === ballot : floor >= ballot,
  );
}
