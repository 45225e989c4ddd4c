/**
 * Text that a terminal or a log takes for nothing but text: all that this program writes for people goes through here, for names, and what
 * servers say, are other people's.
 */

/** Control characters (C0, DEL, C1), line and paragraph separators, and what turns the direction of writing. */
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

const escaped = (character: string): string =>
  `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** The text with each of those written out, as \u001b: one line, and in JSON the same value. */
export const printable = (text: string): string => text.replace(UNPRINTABLE, escaped);

/** The same for text of several lines. */
export const printableLines = (text: string): string => text.split("\n").map(printable).join("\n");
