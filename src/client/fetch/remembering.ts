/**
 * A small cache of recent fetches, for a reader who rebuilds one chunk after the other from the
 * same stripe.
 */

/** Fetches at most so many bytes at `offset` of a piece. */
export type Fetch = (piece: number, offset: number, most: number) => Promise<Uint8Array>;

/** The same fetch with a cache of the last `count` results. Callers must not write to the bytes. */
export function remembering(fetch: Fetch, count: number): Fetch {
  const latest = new Map<string, Promise<Uint8Array>>();
  return (piece, offset, most) => {
    const key = `${piece} ${offset} ${most}`;
    const data = latest.get(key) ?? fetch(piece, offset, most);
    latest.delete(key);
    latest.set(key, data);
    data.catch(() => latest.get(key) === data && latest.delete(key));
    const [oldest] = latest.keys();
    if (latest.size > count && oldest !== undefined) latest.delete(oldest);
    return data;
  };
}
