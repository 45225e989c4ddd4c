/**
 * Fast path: ask a read quorum that together holds every piece (every other server of the ring). On
 * any doubt fall back to asking all servers, for a minute. Used by get and list.
 */
import type { StoredName } from "../../file/names.ts";
import { digestOfName } from "../../file/placement.ts";
import { pieceBytes } from "../../file/split.ts";
import { FEW_PATIENCE_MS, INLINE_BYTES } from "../../limits.ts";
import type { Version } from "../../version.ts";
import type { Cluster, Replies } from "../connect/cluster.ts";
import { decide } from "./decide.ts";
import { type Group } from "../../quorum.ts";
import type { Reading } from "./register.ts";
import { registersOf } from "./rounds.ts";

/** The slots to ask, every other one from `start` on; null where all servers must be asked. */
export function slotsToAsk(cluster: Cluster, start: number): number[] | null {
  const [group, next] = cluster.view.quorum;
  // While members change, two groups must be asked. A client with keys asks all servers, because
  // only the others can show that one lies.
  if (next || cluster.space.guard || cluster.asksAll) return null;
  const candidates = [everyOther(group, start), everyOther(group, start + 1)];
  return candidates.find((slots) => slots.every((slot) => cluster.peer(slot))) ?? null;
}

/**
 * A read quorum of a group, as if its slots were a ring. No two are neighbours, unless the group
 * has an odd number of slots. So of any two neighbours one is asked, and together the servers have
 * every piece.
 */
export const everyOther = ({ slots, read }: Group, start: number): number[] =>
  Array.from({ length: read }, (_, i) => slots[(start + 2 * i) % slots.length] as number);

/**
 * What a read quorum tells of a name, with all pieces of a small file; null where all servers must
 * be asked.
 */
export async function readFast(cluster: Cluster, name: StoredName): Promise<Reading | null> {
  const slots = slotsToAsk(cluster, digestOfName(name)[0] as number);
  if (!slots) return null;
  const { replies, view } = await cluster.ask(
    "read",
    (slot) => (slots.includes(slot) ? { name, asked: slots } : null),
    () => FEW_PATIENCE_MS,
  );
  const decision = decide(view.quorum, registersOf(replies));
  if (decision.is === "current" && !decision.lagging) {
    const version = decision.current?.version ?? null;
    if (!version || version.deleted || isComplete(version, replies))
      return { ...decision, replies, view };
    // No server sends the pieces of a large file along, and its reader wants to know all of its
    // holders.
    if (pieceBytes(version, 0) > INLINE_BYTES) return null;
  }
  cluster.askAllForNow();
  return null;
}

/** Did enough different pieces come along to make the file? They are not verified yet. */
function isComplete({ needed }: Version, replies: Replies<"read">): boolean {
  const pieces = [...replies.values()].flatMap((reply) => reply.pieces.map(({ piece }) => piece));
  return new Set(pieces).size >= needed;
}
