/**
 * How much room a cluster has left, from what each server says of its disk. Several servers may
 * share one disk. Pure. Used by status.
 */
import type { Shape } from "../../file/layout.ts";

/**
 * The disk of one server. `disk` names it ("" where that is not known). `free` is how many bytes of
 * it pieces may still take (null where the server does not tell).
 */
export interface DiskOf {
  readonly slot: number;
  readonly disk: string;
  readonly free: number | null;
}

/** The servers grouped by disk. A server whose disk is not known has a group of its own. */
export function byDisk(all: readonly DiskOf[]): DiskOf[][] {
  const groups = new Map<string, DiskOf[]>();
  for (const one of all) {
    const key = one.disk || `of ${one.slot}`;
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups.values()];
}

/** The free bytes of all disks together, each disk counted once; null where one is not known. */
export const freeOn = (all: readonly DiskOf[]): number | null =>
  byDisk(all).reduce<number | null>((sum, group) => addOrNull(sum, leastOf(group)), 0);

/**
 * How many bytes of files still fit in this layout, with each part of a file on a different server.
 * Servers that share a disk may each take an equal part of its free bytes. null where a disk is not
 * known.
 */
export function usableOn(
  all: readonly DiskOf[],
  { pieces, needed, copies }: Omit<Shape, "striped">,
): number | null {
  const rooms: number[] = [];
  for (const group of byDisk(all)) {
    const free = leastOf(group);
    if (free === null) return null;
    rooms.push(...group.map(() => Math.floor(free / group.length)));
  }
  const hasParity = pieces > needed;
  // `takers` servers take one part of a file each, and `parts` of those parts make up the file.
  const [takers, parts] = hasParity ? [pieces, needed] : [copies, 1];
  return parts * mostEach(rooms, takers);
}

/**
 * How many bytes each of `takers` equal parts may have at most, summed over all files, if the parts
 * of one file lie on different servers. A server takes at most one part of each file, so the room
 * of a very large disk cannot be used up.
 */
function mostEach(rooms: readonly number[], takers: number): number {
  const sorted = rooms.toSorted((a, b) => a - b);
  let most = Infinity;
  for (let large = 0; large < takers; large++) {
    const others = sorted.slice(0, Math.max(0, sorted.length - large));
    const sum = others.reduce((a, b) => a + b, 0);
    most = Math.min(most, Math.floor(sum / (takers - large)));
  }
  return most;
}

/** Servers that share a disk look at it at different moments, so their answers may differ. */
const leastOf = (group: readonly DiskOf[]): number | null =>
  group.reduce<number | null>(
    (least, { free }) => (least === null || free === null ? null : Math.min(least, free)),
    Infinity,
  );

const addOrNull = (a: number | null, b: number | null): number | null =>
  a === null || b === null ? null : a + b;
