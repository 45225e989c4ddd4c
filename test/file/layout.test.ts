import { expect, test } from "bun:test";
import fc from "fast-check";
import { layoutName, layoutOf, PAIRS, shapeOf } from "../../src/file/layout.ts";
import { forAll } from "../harness/property.ts";
import { errorOf } from "../harness/thrown.ts";

const data = fc.integer({ min: 1, max: 16 });
const parity = fc.integer({ min: 1, max: 8 });

test("a layout is read as it is written", () => {
  expect(layoutOf("pairs")).toEqual(PAIRS);
  forAll([data, parity], (k, m) => {
    const layout = layoutOf(`rs:${k}+${m}`);
    expect(layout).toEqual({ is: "rs", data: k, parity: m });
    const shape = shapeOf(layout, 30);
    expect(shape).toEqual({ pieces: k + m, needed: k, copies: 1, striped: true });
    expect(layoutName(shape)).toBe(`rs:${k}+${m}`);
  });
});

test.each([
  "",
  "pair",
  "rs",
  "rs:",
  "rs:4",
  "rs:4+",
  "rs:+2",
  "rs:0+2",
  "rs:4+0",
  "rs:17+1",
  "rs:1+9",
  "rs:4+2 ",
  "rs:-4+2",
  "rs:4.5+2",
  "rs:4+2+1",
])("%j is no layout", (text) => {
  expect(errorOf("usage", () => layoutOf(text)).message).toContain("is no layout");
});

test("pairs have a piece for each server, on two of them", () => {
  expect(shapeOf(PAIRS, 1)).toEqual({ pieces: 1, needed: 1, copies: 1, striped: false });
  expect(shapeOf(PAIRS, 4)).toEqual({ pieces: 4, needed: 4, copies: 2, striped: false });
  expect(layoutName(shapeOf(PAIRS, 4))).toBe("pairs");
});

test("a layout takes as many servers as it has pieces", () => {
  expect(shapeOf(layoutOf("rs:4+2"), 6).pieces).toBe(6);
  const { message } = errorOf("usage", () => shapeOf(layoutOf("rs:4+2"), 5));
  expect(message).toBe("the layout rs:4+2 takes 6 servers, and there are 5");
});
