import { describe, expect, test } from "bun:test";
import { type Outcome, sumLine } from "../../src/cli/local/outcomes.ts";
import { barLine, countLine } from "../../src/terminal/progress.ts";
import { wordsOf } from "../../src/cli/commands/shell_lines.ts";
import { DfsError } from "../../src/errors.ts";
import { durationText, sizeText, tableLines } from "../../src/terminal/units.ts";

test.each([
  [0, "0 B"],
  [1023, "1023 B"],
  [1024, "1.0 KiB"],
  [10 * 1024, "10 KiB"],
  [1.25 * 2 ** 30, "1.3 GiB"],
  [2 ** 60, "1048576 TiB"],
])("%d bytes are %s", (bytes, text) => {
  expect(sizeText(bytes)).toBe(text);
});

test.each([
  [0.4, "0:00"],
  [65, "1:05"],
  [3723, "1:02:03"],
])("%d seconds are %s", (seconds, text) => {
  expect(durationText(seconds)).toBe(text);
});

test("columns are as wide as they look", () => {
  const rows = [
    ["ä😀", "x"],
    ["abc", "yy"],
    ["", "z"],
  ];
  expect(tableLines(rows)).toEqual(["ä😀  x", "abc  yy", "     z"]);
});

describe("the progress bar", () => {
  test("shows bytes, rate and time left", () => {
    const half = { label: "put a", done: 512 * 1024, total: 1024 * 1024, seconds: 2 };
    expect(barLine(half, 120)).toBe(
      "put a [============            ]  50%  512 KiB of 1.0 MiB  256 KiB/s  0:02 left",
    );
  });

  test("says of what is sealed no more than there is", () => {
    expect(barLine({ label: "put a", done: 22, total: 6, seconds: 1 }, 120)).toContain(
      "100%  6 B of 6 B",
    );
  });

  test("of what has no known end, shows what there is", () => {
    const stream = { label: "put a", done: 512 * 1024, total: Infinity, seconds: 2 };
    expect(barLine(stream, 120)).toBe("put a  512 KiB  256 KiB/s  0:02");
  });

  test.each([10, 40, 79])("fits %d columns, whatever the name", (columns) => {
    const line = barLine({ label: "put 😀😀😀 ü", done: 0, total: 0, seconds: 0 }, columns);
    expect(Bun.stringWidth(line)).toBeLessThan(columns);
  });
});

describe("what a put or a get came to", () => {
  const file = (name: string, bytes: number | null): Outcome => ({
    name,
    seconds: 1,
    done: bytes === null ? null : { bytes, version: "", x: 0 },
    error: bytes === null ? new DfsError("failed", "") : null,
  });

  test.each([
    [[file("a", 2 ** 31)], 15.2, "a: 2.0 GiB in 15.2 s, 135 MiB/s"],
    [[file("a", 100), file("b", null)], 4, "a: 100 B in 4.0 s, 25 B/s"],
    [[file("a", 2 ** 30), file("b", 2 ** 30)], 200, "2 files: 2.0 GiB in 3:20, 10 MiB/s"],
    [[file("a", 100)], 3, null],
    [[file("a", null)], 10, null],
  ])("%#", (outcomes, seconds, line) => {
    expect(sumLine(outcomes, seconds)).toBe(line);
  });
});

test.each([
  [{ names: 1, bytes: 0, seconds: 0.2 }, "repair 1 name  0:00"],
  [
    { names: 12480, bytes: 2 ** 30, seconds: 32 },
    "repair 12480 names  1.0 GiB copied  32 MiB/s  0:32",
  ],
])("a count of %j is %j", (so, line) => {
  expect(countLine({ label: "repair", ...so }, 120)).toBe(line);
  expect(Bun.stringWidth(countLine({ label: "repair", ...so }, 12))).toBeLessThan(12);
});

describe("a line of the shell", () => {
  test.each([
    ["", []],
    ["  GET  a b\t", ["GET", "a", "b"]],
    [`PUT "my file" 'a "b"'/c""`, ["PUT", "my file", `a "b"/c`]],
    [`GET "" ''`, ["GET", "", ""]],
  ])("%j is %j", (line, words) => {
    expect(wordsOf(line)).toEqual(words);
  });

  test.each([[`GET "a`], [`GET a'`]])("%j has a quote too few", (line) => {
    expect(() => wordsOf(line)).toThrow("a quote is not closed");
  });
});
