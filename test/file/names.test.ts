import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  baseName,
  checkFolder,
  checkName,
  checkNewName,
  checkStored,
  compareNames,
  mayBeStored,
} from "../../src/file/names.ts";
import { NAME_BYTES } from "../../src/limits.ts";
import { textUpTo } from "../harness/arbitraries.ts";
import { forAll } from "../harness/property.ts";
import { errorOf } from "../harness/thrown.ts";

const bytesIn = (text: string): number => new TextEncoder().encode(text).length;

/** A name of exactly `n` bytes, of components of 100. */
const nameOf = (n: number): string => `${"c".repeat(100)}/`.repeat(Math.ceil(n / 101)).slice(0, n);

describe("names that may be stored", () => {
  test.each([
    ["a plain one", "a"],
    ["one with a path", "a/b/c.txt"],
    ["dots that are no component of dots", ".a/..b/c../..."],
    ["spaces, quotes, backslashes", " a b/'\"\\"],
    ["umlauts", "Grüße/Übermaß.txt"],
    ["the same letter composed otherwise", "u\u0308"],
    ["an emoji", "😀/👨‍👩‍👧.png"],
    ["the last code point", "\u{10FFFF}"],
    ["a byte-order mark", "\uFEFFa"],
    ["a component of 255 bytes", "c".repeat(255)],
    ["a component of 255 bytes in 128 letters", `${"ä".repeat(127)}c`],
    ["1024 bytes", nameOf(1024)],
  ])("%s", (_, name) => {
    expect(checkName(name)).toBe(name);
  });
});

describe("names that may not", () => {
  test.each([
    ["nothing", "", "empty"],
    ["the folder above", "..", '".."'],
    ["a way up", "a/../b", '".."'],
    ["a way up at the end", "a/..", '".."'],
    ["the folder itself", ".", '"."'],
    ["the folder itself, in between", "a/./b", '"."'],
    ["an absolute path", "/a", "absolute"],
    ["the root", "/", "absolute"],
    ["a slash at the end", "a/", "empty component"],
    ["two slashes", "a//b", "empty component"],
    ["NUL", "a\0b", "control"],
    ["a line feed", "a\nb", "control"],
    ["a carriage return", "a\rb", "control"],
    ["an escape", "a\u001b[31m", "control"],
    ["the last of the control characters", "a\u001f", "control"],
    ["DEL", "a\u007f", "control"],
    ["a component of 256 bytes", "c".repeat(256), "255 bytes"],
    ["a component of 256 bytes in 128 letters", "ä".repeat(128), "255 bytes"],
    ["a component of 256 bytes after another", `a/${"c".repeat(256)}`, "255 bytes"],
    ["1025 bytes", nameOf(1025), "1024 bytes"],
    ["1026 bytes in fewer letters", nameOf(1024).replace("cc", "ää"), "1024 bytes"],
    ["a high surrogate alone", "a\ud83d", "Unicode"],
    ["a low surrogate alone", "\ude00a", "Unicode"],
    ["surrogates the wrong way round", "\ude00\ud83d", "Unicode"],
  ])("%s", (_, name, why) => {
    expect(errorOf("usage", () => checkName(name)).message).toContain(why);
  });

  test.each([
    ["C1, which begins a sequence", "a\u009b31m"],
    ["a separator of lines", "a\u2028b"],
    ["a separator of paragraphs", "a\u2029b"],
  ])("%s: not in a new one, and what has it can be reached", (_, name) => {
    expect(errorOf("usage", () => checkNewName(name)).message).toContain("control");
    expect(checkName(name)).toBe(name);
    expect(checkStored(name)).toBe(name);
  });

  test.each(["a\u200fb", "می‌خواهم", "\u202ea", "a b/c"])("a new one may be %j", (name) => {
    expect(checkNewName(name)).toBe(name);
  });

  test.each([
    ["", true],
    [".", true],
    ["a/", true],
    ["a\u009b", true],
    ["a\u001b[2J", false],
    ["a//", false],
    ["/", false],
    ["c".repeat(363), false],
  ])("a server may say %j: %p", (name, may) => {
    expect(mayBeStored(name)).toBe(may);
  });

  test("any text is a good name, or refused in one line", () => {
    forAll(
      [
        fc.array(fc.oneof(textUpTo(8), fc.constantFrom("/", "..", ".", "\0", "\ud800")), {
          maxLength: 5,
        }),
      ],
      (parts) => {
        const name = parts.join("");
        let checked: string;
        try {
          checked = checkName(name);
        } catch {
          errorOf("usage", () => checkName(name));
          return;
        }
        expect(checked).toBe(name);
        expect(name.isWellFormed() && bytesIn(name) <= NAME_BYTES).toBe(true);
        expect(name.split("/").some((part) => ["", ".", ".."].includes(part))).toBe(false);
      },
      500,
    );
  });
});

describe("folders", () => {
  test("a folder's name ends in one slash, given or not", () => {
    expect(checkFolder("a/b")).toBe("a/b/");
    expect(checkFolder("a/b/")).toBe("a/b/");
  });

  test.each(["", "/", "//", "a//", "/a/", "../", "a/../"])("%j is none", (name) => {
    errorOf("usage", () => checkFolder(name));
  });

  test("a folder's name, its slash included, has no more bytes than a name may have", () => {
    expect(bytesIn(checkFolder(nameOf(1023)))).toBe(1024);
    errorOf("usage", () => checkFolder(nameOf(1024)));
  });
});

describe("the order of names", () => {
  test("is that of their bytes", () => {
    const word = textUpTo(12);
    forAll([word, word], (a, b) => {
      const bytes = Buffer.compare(new TextEncoder().encode(a), new TextEncoder().encode(b));
      expect(Math.sign(compareNames(a, b))).toBe(bytes);
    });
  });

  test("differs from JavaScript's own beyond U+FFFF", () => {
    const names = ["😀", "\uFFFD", "z", "ä"];
    expect(names.toSorted(compareNames)).toEqual(["z", "ä", "\uFFFD", "😀"]);
    expect(names.toSorted()).toEqual(["z", "ä", "😀", "\uFFFD"]);
  });

  test("a name is before those that begin with it, and equal to itself only", () => {
    expect(compareNames("a", "a")).toBe(0);
    expect(compareNames("a", "a/b")).toBeLessThan(0);
    expect(compareNames("a/b", "a")).toBeGreaterThan(0);
    expect(compareNames("u\u0308", "ü")).not.toBe(0);
  });
});

test("the base name is what comes after the last slash", () => {
  expect(["a", "a/b", "a/b/c.txt", "a/"].map(baseName)).toEqual(["a", "b", "c.txt", ""]);
});
