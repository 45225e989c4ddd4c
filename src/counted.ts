/** How many of what, as people say it; the lines of commands and of errors use it. */

/** "1 file", "2 files"; and with a word of its own for several, "1 copy", "2 copies". */
export const counted = (count: number, one: string, several = `${one}s`): string =>
  `${count} ${count === 1 ? one : several}`;
