/** Pure decisions about which server serves what. */

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
 * too few already. `held`: the pieces of each server. (Which servers are the worst is a question of covering sets; the one
 * with most pieces that nobody else has is the right answer where pieces have one or two copies.)
 */
export function tolerance(held: readonly (readonly number[])[], needed: number): number {
  if (needed === 0) return Infinity;
  const left = held.map((pieces) => new Set(pieces));
  for (let lost = -1; ; lost++) {
    const counts = new Map<number, number>();
    for (const piece of left.flatMap((pieces) => [...pieces]))
      counts.set(piece, (counts.get(piece) ?? 0) + 1);
    if (counts.size < needed) return lost;
    const harm = (pieces: ReadonlySet<number>): number =>
      [...pieces].reduce((sum, piece) => sum + 1 / (counts.get(piece) ?? 1) ** 4, 0);
    const worst = left.reduce((a, b) => (harm(b) > harm(a) ? b : a));
    left.splice(left.indexOf(worst), 1);
  }
}

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
