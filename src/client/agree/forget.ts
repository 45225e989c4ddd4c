/** Forgetting a name: its tombstone, or a row that holds nothing, goes from every server. */
import type { Accepted } from "../../version.ts";
import type { Cluster, Round } from "../connect/cluster.ts";
import { sendCommit } from "./rounds.ts";

/** A server that is too far behind answers, and does not hold what it is told to. */
const isByAll = ({ replies, view }: Round<"commit"> | Round<"read">): boolean =>
  // rule: tombstone-on-all
  replies.size === view.members.length &&
  [...replies.values()].every((reply) => !("refused" in reply) || reply.refused === null);

/**
 * A tombstone goes once all servers hold exactly it, durably; then each keeps only a floor. A row that holds nothing
 * may go at any time. True when the name is gone from every server.
 */
export async function forget(
  cluster: Cluster,
  name: string,
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
  name: string,
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
  const told = await cluster.ask(
    "read",
    () => ({ name, asked: [] }),
    () => null,
    epoch,
  );
  if (!isByAll(told)) return false;
  const { replies } = told;
  return [...replies.values()].every(({ floor, register: { acc, com } }) =>
    acc || com ? acc?.ballot === ballot && com?.ballot === ballot : floor >= ballot,
  );
}
