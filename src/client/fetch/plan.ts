/** Pure decisions about which server serves what, and which of them a file can do without. */

/** So many looks at one file are taken to find out which of its servers are the worst to lose. */
const TOLERANCE_LOOKS = 2000;

/**
 * One server for each piece that has any, such that the busiest serves as few as possible: each piece goes to its least busy
 * holder, and one that is stuck with a busy one asks the pieces before it to move over (an augmenting path).
 * `holders[piece]` are slots; the result has null where nobody holds the piece.
 */
export function balance(holders: readonly (readonly number[])[]): (number | null)[] {
  const chosen: (number | null)[] = holders.map(() => null);
  const most = Math.max(1, holders.length);
  for (let limit = 1; limit <= most; limit++) {
    for (const piece of holders.keys())
      if (chosen[piece] === null) place(holders, chosen, piece, limit, new Set());
    if (chosen.every((slot, piece) => slot !== null || holders[piece]?.length === 0)) break;
  }
  return chosen;
}

/** How many pieces can be held by servers that differ: a largest matching of pieces with holders. */
export function matched(holders: readonly (readonly number[])[]): number {
  const chosen: (number | null)[] = holders.map(() => null);
  return [...holders.keys()].filter((piece) => place(holders, chosen, piece, 1, new Set())).length;
}

/**
 * How many servers may be lost, the worst ones first, before fewer than `needed` different pieces are left; -1 where there are
 * too few already. `held`: the pieces of each server. It never says too much: where finding the worst ones takes too long, it says
 * how many are known to be no harm.
 */
export function tolerance(held: readonly (readonly number[])[], needed: number): number {
  if (needed === 0) return Infinity;
  const holders = new Map<number, number[]>();
  for (const [slot, pieces] of held.entries())
    for (const piece of new Set(pieces)) {
      const slots = holders.get(piece);
      if (slots) slots.push(slot);
      else holders.set(piece, [slot]);
    }
  const spare = holders.size - needed;
  if (spare < 0) return -1;
  const all = [...holders.values()];
  // Mostly every piece is needed: then the one with the fewest copies decides.
  if (spare === 0) return Math.min(...all.map((slots) => slots.length)) - 1;
  const looks = { left: TOLERANCE_LOOKS };
  for (let lost = 1; ; lost++) if (canTake(all, lost, spare + 1, looks)) return lost - 1;
}

/** Can the loss of so many servers take this many of these pieces? True as well where that is not found out in so many looks. */
function canTake(
  holders: readonly (readonly number[])[],
  servers: number,
  pieces: number,
  looks: { left: number },
): boolean {
  if (pieces <= 0) return true;
  const weak = holders
    .filter((slots) => slots.length <= servers)
    .toSorted((a, b) => a.length - b.length);
  const [first] = weak;
  if (!first || weak.length < pieces) return false;
  if (--looks.left < 0) return true;
  // The servers with the most copies must have as many as the pieces with the fewest.
  const loads = new Map<number, number>();
  for (const slot of weak.flat()) loads.set(slot, (loads.get(slot) ?? 0) + 1);
  const most = [...loads.values()].toSorted((a, b) => b - a).slice(0, servers);
  if (sumOf(weak.slice(0, pieces).map((slots) => slots.length)) > sumOf(most)) return false;
  // The first piece goes with all its servers, or it is not among those that go.
  const rest = weak.slice(1);
  const left = rest.map((slots) => slots.filter((slot) => !first.includes(slot)));
  const alive = left.filter((slots) => slots.length > 0);
  const gone = 1 + left.length - alive.length;
  return (
    canTake(alive, servers - first.length, pieces - gone, looks) ||
    canTake(rest, servers, pieces, looks)
  );
}

const sumOf = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

/** Finds a holder that serves fewer than `limit` pieces, or makes one such by moving what it serves. */
function place(
  holders: readonly (readonly number[])[],
  chosen: (number | null)[],
  piece: number,
  limit: number,
  tried: Set<number>,
): boolean {
  for (const slot of holders[piece] ?? []) {
    if (tried.has(slot)) continue;
    tried.add(slot);
    const served = chosen.flatMap((other, index) => (other === slot ? [index] : []));
    if (
      served.length < limit ||
      served.some((other) => place(holders, chosen, other, limit, tried))
    ) {
      chosen[piece] = slot;
      return true;
    }
  }
  return false;
}
