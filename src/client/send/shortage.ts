/**
 * Explains in words why pieces find no server: which servers have no room, and of what, or how many
 * servers are missing. Used by Pieces and repair.
 */
import { type DfsError, type ErrorCode, isDfsError } from "../../errors.ts";
import { hasParity } from "../../file/split.ts";
import { counted } from "../../counted.ts";
import type { Version } from "../../version.ts";
import type { Cluster } from "../connect/cluster.ts";

/** The errors of servers that did not take a piece, by slot. */
type Refused = ReadonlyMap<number, DfsError>;

/** What these servers are short of, which is the same for all of them. */
function roomText(labels: readonly string[], short: string): string {
  const [disks, verb] = labels.length > 1 ? ["disks", "are"] : ["disk", "is"];
  const of = `the ${disks} of ${labels.join(", ")}`;
  return short === "inodes"
    ? `${of} can hold no more files (the inodes are used up)`
    : `${of} ${verb} full`;
}

/**
 * Why pieces find no server. `refused` has the errors of servers that were sent a piece. `full` has
 * the servers that kept none of the small pieces that came with a promise.
 */
export async function shortageOf(
  cluster: Cluster,
  version: Pick<Version, "pieces" | "needed" | "copies">,
  refused: Refused,
  full: readonly number[],
): Promise<string> {
  const noRoom = new Set(full);
  for (const [slot, error] of refused) if (isDfsError(error, "noRoom")) noRoom.add(slot);
  const { places } = cluster.view;
  const answering = places.filter((slot) => cluster.peer(slot));
  const { pieces, needed, copies } = version;
  // With this many, one more may be lost.
  const takes = hasParity(version) ? needed + 1 : copies;
  const layout = hasParity(version) ? `rs:${needed}+${pieces - needed}` : "each piece";
  const count = `${answering.length} of ${places.length} servers answer, and ${layout} takes ${takes}`;
  if (noRoom.size > 0) {
    const rooms = await roomsOf(cluster, [...noRoom]);
    const silent = answering.length < places.length ? `; ${count}` : "";
    return `not enough servers have room for its pieces: ${rooms.join(", ")}${silent}`;
  }
  if (answering.length < takes) return count;
  const reasons = [...refused].map(([slot, { message }]) => `${cluster.labelOf(slot)}: ${message}`);
  return `not enough servers take its pieces: ${reasons.join(", ") || count}`;
}

/** Says that so many copies could not be made, and why. */
export async function failedText(
  cluster: Cluster,
  { failed, refused }: { readonly failed: number; readonly refused: Refused },
): Promise<string> {
  const full = [...refused].flatMap(([slot, { code }]) => (code === "noRoom" ? [slot] : []));
  const why = await roomsOf(cluster, full);
  return `${counted(failed, "copy", "copies")} could not be made${why.length > 0 ? `: ${why.join(", ")}` : ""}`;
}

/** The kind of that reason. */
export const causeOf = ({ refused }: { readonly refused: Refused }): ErrorCode =>
  [...refused.values()].some(({ code }) => code === "noRoom") ? "noRoom" : "failed";

/** What these servers are short of. Servers that are short of the same share one text. */
async function roomsOf(cluster: Cluster, slots: readonly number[]): Promise<string[]> {
  const { replies } = await cluster.ask(
    "status",
    (slot) => (slots.includes(slot) ? {} : null),
    () => null,
  );
  const isShortOf = (slot: number, resource: string): boolean =>
    (replies.get(slot)?.short || "bytes") === resource;
  return ["bytes", "inodes"].flatMap((resource) => {
    const labels = slots.toSorted((a, b) => a - b).filter((slot) => isShortOf(slot, resource));
    return labels.length > 0
      ? [
          roomText(
            labels.map((slot) => cluster.labelOf(slot)),
            resource,
          ),
        ]
      : [];
  });
}
