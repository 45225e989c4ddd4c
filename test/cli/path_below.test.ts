/** Where stored names go on the local disk, and all the ways out of a folder that there are. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { pathBelow } from "../../src/cli/local/path_below.ts";
import { errorOf } from "../harness/thrown.ts";

const refused = (name: string, platform?: NodeJS.Platform): string =>
  errorOf("usage", () => pathBelow("folder", name, platform)).message;

describe("a name goes below its folder", () => {
  test.each([
    ["a", "folder/a"],
    ["a/b/c", "folder/a/b/c"],
    ["...", "folder/..."],
    ["..a/.b", "folder/..a/.b"],
    ["-", "folder/-"],
    ["~", "folder/~"],
    ["a b\u2028c", "folder/a b\u2028c"],
    ["c".repeat(255), `folder/${"c".repeat(255)}`],
  ])("%j", (name, path) => {
    expect(pathBelow("folder", name, "linux")).toBe(join(path));
  });

  test("where a backslash and a colon mean nothing they stay", () => {
    expect(pathBelow("folder", "a\\..\\b", "linux")).toBe("folder/a\\..\\b");
    expect(pathBelow("folder", "c:", "linux")).toBe("folder/c:");
  });

  test("in the current folder, and in the one that a path with a slash names", () => {
    expect(pathBelow("", "a")).toBe("a");
    expect(pathBelow("/", "a")).toBe("/a");
    expect(pathBelow("x/", "a")).toBe(join("x/a"));
  });
});

describe("what is no path below it is refused, in one line", () => {
  test.each([
    "",
    "/",
    "//",
    "/etc/passwd",
    ".",
    "./a",
    "a/.",
    "a/./b",
    "..",
    "../a",
    "a/..",
    "a/../../b",
    "a//b",
    "a/",
    "a\0b",
    "c".repeat(256),
    "ä".repeat(128),
    `a/${"c".repeat(256)}`,
  ])("%j", (name) => {
    for (const platform of ["linux", "darwin", "win32"] as const)
      expect(refused(name, platform)).toMatch(/^"[^\n\0]*" cannot be a file name here: .*-o FILE$/);
  });

  test.each([
    "a\\b",
    "..\\a",
    "\\\\server\\share",
    "c:",
    "c:a",
    "a:stream",
    "a/c:/b",
    "a<b",
    'a"b',
    "a|b",
    "a?b",
    "a*b",
    "a.",
    "a ",
    "... ",
    "NUL",
    "nul.txt",
    "con",
    "Aux .tar.gz",
    "com1",
    "COM0",
    "lpt9.x",
    "com¹",
    "conin$",
    "a/prn",
    "a\u0001b",
  ])("%j, on Windows", (name) => {
    expect(refused(name, "win32")).toContain("Windows");
    if (!name.includes("\u0001")) pathBelow("folder", name, "linux");
  });

  test.each(["console", "com", "com10", "nully", "lpt"])("%j is no device", (name) => {
    expect(pathBelow("folder", name, "win32")).toBe(join("folder", name));
  });
});
