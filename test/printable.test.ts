/** What a terminal is shown is nothing but text, whoever wrote it. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { printable, printableLines } from "../src/printable.ts";
import { errorFrame, errorOf, FrameParser } from "../src/wire/frames.ts";
import { concat } from "../src/bytes.ts";
import { DfsError } from "../src/errors.ts";
import { forAll } from "./harness/property.ts";

test.each([
  ["an escape sequence", "\u001b[2J", "\\u001b[2J"],
  ["the same begun by one character", "\u009b31mred", "\\u009b31mred"],
  ["a title", "\u001b]0;title\u0007", "\\u001b]0;title\\u0007"],
  ["lines", "a\nb\rc", "a\\u000ab\\u000dc"],
  ["DEL", "a\u007f", "a\\u007f"],
  ["an override of the direction", "\u202egpj.exe", "\\u202egpj.exe"],
  ["isolates and marks", "\u2066a\u2069\u200f\u061c", "\\u2066a\\u2069\\u200f\\u061c"],
  ["separators of lines and paragraphs", "a\u2028b\u2029", "a\\u2028b\\u2029"],
])("%s is written out", (_, text, shown) => {
  expect(printable(text)).toBe(shown);
});

test.each(["", "Grüße/Übermaß.txt", "😀/👨‍👩‍👧.png", "u\u0308", "\\ \u00a0 ~", "می‌خواهم"])(
  "%j is shown as it is",
  (text) => {
    expect(printable(text)).toBe(text);
  },
);

const anyText = fc.string({ unit: "binary", maxLength: 20 });
/** As "first-last", for none of these may stand in a source. */
const UNSAFE = new RegExp(
  `[${"0000-001f 007f-009f 061c 200e-200f 2028-202e 2066-2069".replaceAll(/[0-9a-f]{4}/g, "\\u$&").replaceAll(" ", "")}]`,
);

test("nothing of it is left in any text, and what is clean stays so", () => {
  forAll([anyText], (text) => {
    const shown = printable(text);
    expect(shown).not.toMatch(UNSAFE);
    expect(printable(shown)).toBe(shown);
    expect(printableLines(`${text}\n${text}`).replaceAll("\n", "")).not.toMatch(UNSAFE);
  });
});

test("in JSON it is the same value", () => {
  forAll([anyText], (text) => {
    const json = printable(JSON.stringify({ [text]: [text] }));
    expect(json).not.toMatch(UNSAFE);
    expect(JSON.parse(json)).toEqual({ [text]: [text] });
  });
});

test("an error that a server sends is one line of text", () => {
  const said = concat(errorFrame(1, new DfsError("failed", "a\u001b[2J\n\u009b\u202eb\u2028")));
  const [frame] = [...new FrameParser().push(said)];
  expect(errorOf(frame?.body ?? new Uint8Array()).message).toBe(
    "a\\u001b[2J\\u000a\\u009b\\u202eb\\u2028",
  );
});
