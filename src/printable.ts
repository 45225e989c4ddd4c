/**
 * Makes text safe for a terminal and a log. Everything that this program writes for people goes
 * through here, since names, and what servers say, come from other people. Used by terminal and
 * wire.
 */

/**
 * Control characters (C0, DEL, C1), line and paragraph separators, and characters that change the
 * direction of writing.
 */
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

const escaped = (character: string): string =>
  `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;

/**
 * The text on one line, with each such character written out, as \u001b. In JSON that is the same
 * value.
 */
export const printable = (text: string): string => text.replace(UNPRINTABLE, escaped);

/** The same for a text of several lines. */
export const printableLines = (text: string): string => text.split("\n").map(printable).join("\n");
