/**
 * Runs one command on several files: a few at a time, and never two of them for the same place.
 * Used by get, put, rm and adopt.
 */
import { DfsError } from "../../errors.ts";

/**
 * Runs `task` for each item, at most `atOnce` at a time. The results are in the order of the items.
 */
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

/** Refuses two items with the same place. Throws DfsError("usage") that names both. */
export function refuseDuplicates<T>(
  items: readonly T[],
  placeOf: (item: T) => string,
  what: (item: T, other: T, place: string) => string,
): void {
  const seen = new Map<string, T>();
  for (const item of items) {
    const place = placeOf(item);
    const other = seen.get(place);
    if (other !== undefined) throw new DfsError("usage", what(other, item, place));
    seen.set(place, item);
  }
}
