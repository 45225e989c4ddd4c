/**
 * Asking few servers what they can tell as well as all: as many as see every chosen value, every other one, so that of pairs they have
 * every piece between them. Whoever finds that it is not all there is to tell asks all of them, and so do others from then on.
 */
import { digestOfName } from "../../file/placement.ts";
import { pieceBytes } from "../../file/split.ts";
import { FEW_PATIENCE_MS, INLINE_BYTES } from "../../limits.ts";
import type { Version } from "../../version.ts";
import type { Cluster, Replies } from "../connect/cluster.ts";
import { decide } from "./decide.ts";
import { type Group } from "../../quorum.ts";
import type { Reading } from "./register.ts";
import { registersOf } from "./rounds.ts";

/** The slots to ask, going round from this one; null where it must be all. */
export function few(cluster: Cluster, start: number): number[] | null {
  const [group, next] = cluster.view.quorum;
  // While members change it takes two groups; and who has keys hears all, for only the others show that one lies.
  if (next || cluster.space.guard || cluster.asksAll) return null;
  const ways = [everyOther(group, start), everyOther(group, start + 1)];
  return ways.find((slots) => slots.every((slot) => cluster.peer(slot))) ?? null;
}

/** Of slots in a ring as many as it takes to read, no two of them neighbours unless they are an odd number. */
export const everyOther = ({ slots, read }: Group, start: number): number[] =>
  Array.from({ length: read }, (_, i) => slots[(start + 2 * i) % slots.length] as number);

/** What few servers tell of a name, all pieces of a small file with it; null where the others must be asked too. */
export async function readBriefly(cluster: Cluster, name: string): Promise<Reading | null> {
  const slots = few(cluster, digestOfName(name)[0] as number);
  if (!slots) return null;
  const { replies, view } = await cluster.ask(
    "read",
    (slot) => (slots.includes(slot) ? { name, asked: slots } : null),
    () => FEW_PATIENCE_MS,
  );
  const decision = decide(view.quorum, registersOf(replies));
  if (decision.is === "current" && !decision.lagging) {
    const version = decision.current?.version ?? null;
    if (!version || version.deleted || isHere(version, replies))
      return { ...decision, replies, view };
    // Of a large file nobody sends pieces along, and who reads it wants to know of all that have them.
    if (pieceBytes(version, 0) > INLINE_BYTES) return null;
  }
  cluster.asksAll = true;
  return null;
}

/** Did pieces come along that make all of the file? They are not verified yet. */
function isHere({ needed }: Version, replies: Replies<"read">): boolean {
  const pieces = [...replies.values()].flatMap((reply) => reply.pieces.map(({ piece }) => piece));
  return new Set(pieces).size >= needed;
}
