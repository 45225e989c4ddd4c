/** One command on several files: a few at once, and no two of them in one place. */
import { DfsError } from "../../errors.ts";

/** Runs `task` for each item, at most `atOnce` at a time; the results are in the items' order. */
export async function eachOf<T, R>(
  items: readonly T[],
  atOnce: number,
  task: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const todo = items.entries();
  const worker = async (): Promise<void> => {
    for (const [i, item] of todo) results[i] = await task(item);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker));
  return results;
}

/** Refuses items that would end up in one place; throws DfsError("usage") that names two of them. */
export function refuseTwins<T>(
  items: readonly T[],
  placeOf: (item: T) => string,
  what: (one: T, other: T, place: string) => string,
): void {
  const seen = new Map<string, T>();
  for (const item of items) {
    const place = placeOf(item);
    const other = seen.get(place);
    if (other !== undefined) throw new DfsError("usage", what(other, item, place));
    seen.set(place, item);
  }
}
