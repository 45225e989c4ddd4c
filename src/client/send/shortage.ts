/** Why pieces find no server that takes them, in words: which servers have no room and of what, or how many are missing. */
import { type DfsError, type ErrorCode, isDfsError } from "../../errors.ts";
import { type Cut, hasParity } from "../../file/split.ts";
import { counted } from "../../counted.ts";
import type { Cluster } from "../connect/cluster.ts";

/** What servers said that did not take a piece, by slot. */
type Refused = ReadonlyMap<number, DfsError>;

/** What is short, as servers say it, of which so many say the same. */
function roomText(labels: readonly string[], short: string): string {
  const [disks, verb] = labels.length > 1 ? ["disks", "are"] : ["disk", "is"];
  const of = `the ${disks} of ${labels.join(", ")}`;
  return short === "inodes"
    ? `${of} can hold no more files (the inodes are used up)`
    : `${of} ${verb} full`;
}

/** `refused`: what servers said to pieces, by slot; `full`: those that kept none of the small ones that came with a promise. */
export async function shortageOf(
  cluster: Cluster,
  version: Cut & { readonly copies: number },
  refused: Refused,
  full: readonly number[],
): Promise<string> {
  const without = new Set(full);
  for (const [slot, error] of refused) if (isDfsError(error, "noRoom")) without.add(slot);
  const { places } = cluster.view;
  const answering = places.filter((slot) => cluster.peer(slot));
  const { pieces, needed, copies } = version;
  // Of as many one more may be lost.
  const takes = hasParity(version) ? needed + 1 : copies;
  const layout = hasParity(version) ? `rs:${needed}+${pieces - needed}` : "each piece";
  const count = `${answering.length} of ${places.length} servers answer, and ${layout} takes ${takes}`;
  if (without.size > 0) {
    const rooms = await roomsOf(cluster, [...without]);
    const silent = answering.length < places.length ? `; ${count}` : "";
    return `not enough servers have room for its pieces: ${rooms.join(", ")}${silent}`;
  }
  if (answering.length < takes) return count;
  const said = [...refused].map(([slot, { message }]) => `${cluster.labelOf(slot)}: ${message}`);
  return `not enough servers take its pieces: ${said.join(", ") || count}`;
}

/** That so many copies did not come to be, and why not. */
export async function failedText(
  cluster: Cluster,
  { failed, refused }: { readonly failed: number; readonly refused: Refused },
): Promise<string> {
  const full = [...refused].flatMap(([slot, { code }]) => (code === "noRoom" ? [slot] : []));
  const why = await roomsOf(cluster, full);
  return `${counted(failed, "copy", "copies")} could not be made${why.length > 0 ? `: ${why.join(", ")}` : ""}`;
}

/** What kind of reason that is. */
export const causeOf = ({ refused }: { readonly refused: Refused }): ErrorCode =>
  [...refused.values()].some(({ code }) => code === "noRoom") ? "noRoom" : "failed";

/** What these servers are short of, a few words for those that are short of the same. */
async function roomsOf(cluster: Cluster, slots: readonly number[]): Promise<string[]> {
  const { replies } = await cluster.ask(
    "status",
    (slot) => (slots.includes(slot) ? {} : null),
    () => null,
  );
  const isShortOf = (slot: number, what: string): boolean =>
    (replies.get(slot)?.short || "bytes") === what;
  return ["bytes", "inodes"].flatMap((what) => {
    const labels = slots.toSorted((a, b) => a - b).filter((slot) => isShortOf(slot, what));
    return labels.length > 0
      ? [
          roomText(
            labels.map((slot) => cluster.labelOf(slot)),
            what,
          ),
        ]
      : [];
  });
}
