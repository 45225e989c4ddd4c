import { expect, test } from "bun:test";
import { typeInto } from "../../src/terminal/ask_password.ts";

test.each([
  ["", "abc", "abc", null, ""],
  ["ab", "c\r", "abc", "line", ""],
  ["", "a b\nnext\n", "a b", "line", "next\n"],
  ["", "a\r\nb", "a", "line", "b"],
  ["ab😀", "\u007f\b!", "a!", null, ""],
  ["", "\u007f", "", null, ""],
  ["ab", "\u0015c", "c", null, ""],
  ["ab", "\u001b[A\u001b[3~\u001bOPc\t", "abc", null, ""],
  ["ab", "c\u0003d", "", "interrupted", ""],
  ["ab", "\u0004", "ab", null, ""],
  ["", "\u0004", "", "interrupted", ""],
] as const)("after %j the keys %j make it %j", (line, keys, made, end, rest) => {
  expect(typeInto(line, keys)).toEqual({ line: made, end, rest });
});
