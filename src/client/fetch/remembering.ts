/** Bytes that were fetched a moment ago, for who reads a version bit by bit and needs them again to make others of. */

/** Fetches at most so many bytes at `offset` of a piece. */
export type Fetch = (piece: number, offset: number, most: number) => Promise<Uint8Array>;

/** The same, with what the last `count` fetches brought, or are about to, at hand. What it gives is not to be written to. */
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
