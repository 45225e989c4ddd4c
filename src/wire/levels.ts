/**
 * Levels of names: what a list with a delimiter is made of. Names that begin with the list's prefix
 * and have the delimiter after it fall into common prefixes, such as folders; a list has one entry
 * for each of them. Pure. Used by both ends.
 */

/** Whose names a list has. An empty delimiter: all of them, one by one. */
export interface Level {
  readonly prefix: string;
  readonly delimiter: string;
}

/**
 * The common prefix that a name falls into; null where it stands for itself. That of a stored name
 * is one that could be stored.
 */
export function folderOf<N extends string>(name: N, { prefix, delimiter }: Level): N | null {
  if (delimiter === "" || !name.startsWith(prefix)) return null;
  const at = name.indexOf(delimiter, prefix.length);
  return at < 0 ? null : (name.slice(0, at + delimiter.length) as N);
}

/**
 * The first text, in byte order, that comes after all texts with this beginning; null where nothing
 * does.
 */
export function beyond(beginning: string): string | null {
  const points = Array.from(beginning, (character) => character.codePointAt(0) as number);
  for (;;) {
    const last = points.pop();
    if (last === undefined) return null;
    if (last === 0x10ffff) continue;
    // UTF-8 has no surrogates.
    points.push(last === 0xd7ff ? 0xe000 : last + 1);
    return String.fromCodePoint(...points);
  }
}
