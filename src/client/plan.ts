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
