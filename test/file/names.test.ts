/** Which texts are names, and how they are ordered. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  baseName,
  checkFolder,
  checkName,
  checkNewName,
  checkStored,
  compareNames,
  mayBegin,
  mayBeStored,
  type Name,
  type NewName,
  storedAgain,
  type StoredName,
} from "../../src/file/names.ts";
import { FIRST_COMPONENT_BYTES, REST_BYTES, SEALED_NAME_BYTES } from "../../src/limits.ts";
import { textUpTo } from "../harness/arbitraries.ts";
import { forAll } from "../harness/property.ts";
import { errorOf } from "../harness/thrown.ts";

const bytesIn = (text: string): number => new TextEncoder().encode(text).length;

describe("names that may be stored", () => {
  test.each([
    ["a plain one", "a"],
    ["one with a path", "a/b/c.txt"],
    ["dots that are no component of dots", ".a/..b/c../..."],
    ["spaces, quotes, backslashes", " a b/'\"\\"],
    ["what means something in a URL", 'a+b%2Fc?d#e&f=<>^{}"'],
    ["umlauts", "Grüße/Übermaß.txt"],
    ["the same letter composed otherwise", "u\u0308"],
    ["an emoji", "😀/👨‍👩‍👧.png"],
    ["the last code point", "\u{10FFFF}"],
    ["a byte-order mark", "\uFEFFa"],
    ["two dots", ".."],
    ["a way up", "a/../../b"],
    ["a dot and more", "./x"],
    ["a dot and a slash", "./"],
    ["a dot in between", "a/./b"],
    ["a slash at the begin", "/lead"],
    ["a slash at the end", "a/"],
    ["two slashes", "a//b"],
    ["nothing but slashes", "///"],
    ["one slash", "/"],
    ["what turns the direction of writing", "a\u200fb\u202ec"],
    ["a separator of lines", "a\u2028b"],
    ["a separator of paragraphs", "a\u2029b"],
    ["a name like a reserved one", ".dfsx/a"],
    ["the reserved component further in", "a/.dfs/b"],
    ["a first component of 255 bytes", "c".repeat(255)],
    ["a first component of 255 bytes in 128 letters", `${"ä".repeat(127)}c`],
    ["a component of 1,024 bytes after the first", `a/${"c".repeat(1024)}`],
    ["1,024 slashes after the first", `a/${"/".repeat(1024)}`],
    ["1,024 bytes without a first component", `/${"ä".repeat(512)}`],
    ["the longest", `${"c".repeat(255)}/${"d/".repeat(512)}`],
  ])("%s", (_, name) => {
    expect<string>(checkNewName(name)).toBe(name);
    expect<string>(checkName(name)).toBe(name);
    expect<string>(checkStored(name)).toBe(name);
  });
});

describe("names that may not", () => {
  test.each([
    ["nothing", "", "empty"],
    ["the reserved name of a key", ".", "reserved"],
    ["NUL", "a\0b", "control"],
    ["a line feed", "a\nb", "control"],
    ["a carriage return", "a\rb", "control"],
    ["an escape", "a\u001b[31m", "control"],
    ["the last of the control characters", "a\u001f", "control"],
    ["DEL", "a\u007f", "control"],
    ["a first component of 256 bytes", "c".repeat(256), "255 bytes"],
    ["a first component of 256 bytes in 128 letters", "ä".repeat(128), "255 bytes"],
    ["a first component of 256 bytes before another", `${"c".repeat(256)}/a`, "255 bytes"],
    ["1,025 bytes after the first", `a/${"c".repeat(1025)}`, "1024 bytes"],
    ["1,026 bytes in 513 letters after the first", `a/${"ä".repeat(513)}`, "1024 bytes"],
    ["1,025 slashes after the first", `a/${"/".repeat(1025)}`, "1024 bytes"],
    ["a high surrogate alone", "a\ud83d", "Unicode"],
    ["a low surrogate alone", "\ude00a", "Unicode"],
    ["surrogates the wrong way round", "\ude00\ud83d", "Unicode"],
  ])("%s", (_, name, why) => {
    expect(errorOf("usage", () => checkName(name)).message).toContain(why);
    expect(errorOf("usage", () => checkNewName(name)).message).not.toContain("\n");
  });

  test.each([
    ["C1, which begins a sequence", "a\u009b31m", "control"],
    ["the first of C1", "\u0080", "control"],
    ["the last of C1", "a/\u009f", "control"],
    ["what is reserved", ".dfs", "reserved"],
    ["what is below it", ".dfs/a", "reserved"],
    ["its folder", ".dfs/", "reserved"],
  ])("%s: not in a new one, and what has it can be reached", (_, name, why) => {
    expect(errorOf("usage", () => checkNewName(name)).message).toContain(why);
    expect<string>(checkName(name)).toBe(name);
    expect<string>(checkStored(name)).toBe(name);
    expect<string>(storedAgain(checkName(name))).toBe(name);
  });

  test.each([
    ["", true],
    [".", true],
    ["a/", true],
    ["a\u009b", true],
    ["//", true],
    ["a\u001b[2J", false],
    ["a\ud83d", false],
  ])("a server may say %j: %p", (name, may) => {
    expect(mayBeStored(name)).toBe(may);
    if (!may) expect(errorOf("usage", () => checkStored(name)).message.length).toBeLessThan(200);
  });

  test("a server may say names up to the length of the longest sealed one", () => {
    expect(mayBeStored("c".repeat(SEALED_NAME_BYTES))).toBe(true);
    expect(mayBeStored("c".repeat(SEALED_NAME_BYTES + 1))).toBe(false);
  });

  test("a prefix is what a name may begin with", () => {
    for (const prefix of ["", ".", "./", "a", "a/", "a//b", "\u009b", `${"c".repeat(255)}/`])
      expect(mayBegin(prefix)).toBe(true);
    for (const prefix of ["a\n", "\ud83d", "c".repeat(256), `/${"c".repeat(1025)}`])
      expect(mayBegin(prefix)).toBe(false);
  });

  test("any text is a good name, or refused in one line", () => {
    forAll(
      [
        fc.array(fc.oneof(textUpTo(300), fc.constantFrom("/", "..", ".", "\0", "\ud800")), {
          maxLength: 8,
        }),
      ],
      (parts) => {
        const name = parts.join("");
        const [first = "", ...rest] = name.split("/");
        const isGood =
          name !== "" &&
          name !== "." &&
          name.isWellFormed() &&
          Array.from(name).every((letter) => letter >= " " && letter !== "\u007f") &&
          bytesIn(first) <= FIRST_COMPONENT_BYTES &&
          bytesIn(rest.join("/")) <= REST_BYTES;
        if (isGood) expect<string>(checkName(name)).toBe(name);
        else expect(errorOf("usage", () => checkName(name)).message).not.toMatch(/[\n\0]/);
      },
      500,
    );
  });
});

test("a text is no name until it was checked, and a name is not what servers know it by", () => {
  const [name, fresh, stored] = [checkName("a"), checkNewName("a"), checkStored("a")];
  const ofUser: Name = fresh;
  // @ts-expect-error
  const one: Name = "a";
  // @ts-expect-error
  const two: NewName = name;
  // @ts-expect-error
  const three: StoredName = name;
  // @ts-expect-error
  const four: Name = stored;
  expect(new Set<string>([ofUser, one, two, three, four]).size).toBe(1);
});

describe("folders", () => {
  test("a folder's name ends in a slash, given or not", () => {
    expect<string>(checkFolder("a/b")).toBe("a/b/");
    expect<string>(checkFolder("a/b/")).toBe("a/b/");
    expect<string>(checkFolder("a//")).toBe("a//");
    expect<string>(checkFolder("..")).toBe("../");
  });

  test("nothing is none", () => {
    errorOf("usage", () => checkFolder(""));
  });

  test("the slash at its end counts, but not behind the first component", () => {
    expect(bytesIn(checkFolder("c".repeat(255)))).toBe(256);
    expect(bytesIn(checkFolder(`a/${"c".repeat(1023)}`))).toBe(1026);
    errorOf("usage", () => checkFolder(`a/${"c".repeat(1024)}`));
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
