/** Numbers with their nouns, as people say them. Used by the lines of commands and errors. */

/** "1 file", "2 files"; with `several`, "1 copy", "2 copies". */
export const counted = (count: number, one: string, several = `${one}s`): string =>
  `${count} ${count === 1 ? one : several}`;
