/** How much room a cluster has left: pure, from what each server says of its disk. Several servers may be on one disk. */
import type { Shape } from "../../file/layout.ts";

/** The disk of one server: which one it is ("" where that is not known), and what of it pieces may still take (null: it does not tell). */
export interface DiskOf {
  readonly slot: number;
  readonly disk: string;
  readonly free: number | null;
}

/** Servers by disk; each one whose disk is not known is alone. */
export function byDisk(all: readonly DiskOf[]): DiskOf[][] {
  const groups = new Map<string, DiskOf[]>();
  for (const one of all) {
    const key = one.disk || `of ${one.slot}`;
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups.values()];
}

/** What is free on all disks together, each counted once; null where one does not tell. */
export const freeOn = (all: readonly DiskOf[]): number | null =>
  byDisk(all).reduce<number | null>((sum, group) => addOrNull(sum, leastOf(group)), 0);

/**
 * How many bytes of files still fit at this layout, each part of a file on servers that differ. Where servers share a disk each may take
 * an equal part of what is free there. null where a disk does not tell.
 */
export function usableOn(all: readonly DiskOf[], { pieces, needed, copies }: Shape): number | null {
  const rooms: number[] = [];
  for (const group of byDisk(all)) {
    const free = leastOf(group);
    if (free === null) return null;
    rooms.push(...group.map(() => Math.floor(free / group.length)));
  }
  const hasParity = pieces > needed;
  // So many servers take a part of a file each, and so many of those parts are the file.
  const [takers, parts] = hasParity ? [pieces, needed] : [copies, 1];
  return parts * mostEach(rooms, takers);
}

/** The most that `takers` different ones of these can take of equal parts: the largest ones cannot take more than all of the parts. */
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

/** Servers on one disk look at it one after the other. */
const leastOf = (group: readonly DiskOf[]): number | null =>
  group.reduce<number | null>(
    (least, { free }) => (least === null || free === null ? null : Math.min(least, free)),
    Infinity,
  );

const addOrNull = (a: number | null, b: number | null): number | null =>
  a === null || b === null ? null : a + b;
