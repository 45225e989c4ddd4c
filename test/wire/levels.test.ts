/** Common prefixes, and what comes beyond all names with one. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { compareNames } from "../../src/file/names.ts";
import { beyond, folderOf } from "../../src/wire/levels.ts";
import { forAll } from "../harness/property.ts";

describe("the common prefix of a name", () => {
  test.each([
    ["a/b", "", "/", "a/"],
    ["a/b/c", "a/", "/", "a/b/"],
    ["a/b", "a/", "/", null],
    ["a/", "a/", "/", null],
    ["a/", "", "/", "a/"],
    ["a", "", "/", null],
    ["2026-11-28", "20", "-", "2026-"],
    ["a--b--c", "a", "--", "a--"],
    ["a/b", "b", "/", null],
    ["a/b", "", "", null],
  ])("%j after %j by %j", (name, prefix, delimiter, folder) => {
    expect(folderOf(name, { prefix, delimiter })).toBe(folder);
  });
});

describe("what comes beyond", () => {
  test.each([
    ["a/", "a0"],
    ["a\u{d7ff}", "a\u{e000}"],
    ["a\u{ffff}", "a\u{10000}"],
    ["a\u{10ffff}", "b"],
    ["\u{10ffff}", null],
    ["", null],
  ])("%j", (beginning, next) => {
    expect(beyond(beginning)).toBe(next);
  });

  test("is above all that begins so, and not above anything else that is", () => {
    const texts = fc.string({ unit: "grapheme", maxLength: 4 });
    forAll([texts, texts], (beginning, name) => {
      const next = beyond(beginning);
      const isBelow = next === null || compareNames(name, next) < 0;
      if (name.startsWith(beginning)) expect(isBelow).toBe(true);
      else if (compareNames(name, beginning) > 0) expect(isBelow).toBe(false);
    });
  });
});
