/**
 * Which server gives which piece, and how many servers a file can lose. Pure. Used by get, put and
 * status.
 */

/** How many combinations are tried, for one file, to find the worst servers to lose. */
const TOLERANCE_LOOKS = 2000;

/**
 * Chooses one holder for each piece, so that the busiest server gives as few pieces as possible.
 * Each piece goes to its least busy holder; a piece that only busy ones hold has earlier pieces
 * moved (an augmenting path). `holders[piece]` are slots. The result has null for a piece that
 * nobody holds.
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

/**
 * How many pieces can each be given a server of their own: a maximum matching of pieces and
 * holders.
 */
export function matched(holders: readonly (readonly number[])[]): number {
  const chosen: (number | null)[] = holders.map(() => null);
  return [...holders.keys()].filter((piece) => place(holders, chosen, piece, 1, new Set())).length;
}

/**
 * How many servers may be lost, in the worst case, with `needed` different pieces left; -1 when
 * there are too few already. `held`: the pieces of each server. The result is never too high. When
 * the worst case takes too long to find, it is a number that is known to be safe.
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
  // With pairs every piece is needed, so the piece with the fewest copies decides.
  if (spare === 0) return Math.min(...all.map((slots) => slots.length)) - 1;
  const looks = { left: TOLERANCE_LOOKS };
  for (let lost = 1; ; lost++) if (canTake(all, lost, spare + 1, looks)) return lost - 1;
}

/**
 * Can losing so many servers lose this many of these pieces? Also true when that is not found out
 * in time.
 */
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
  // A bound: the servers with the most copies must have at least as many as the rarest pieces.
  const loads = new Map<number, number>();
  for (const slot of weak.flat()) loads.set(slot, (loads.get(slot) ?? 0) + 1);
  const most = [...loads.values()].toSorted((a, b) => b - a).slice(0, servers);
  if (sumOf(weak.slice(0, pieces).map((slots) => slots.length)) > sumOf(most)) return false;
  // Either the first piece is lost, with all its servers, or it is not among the lost ones.
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

/**
 * Finds a holder that serves fewer than `limit` pieces, or makes one such by moving what it serves.
 */
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
