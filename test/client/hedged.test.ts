/** Asking the next one where one fails or is slow: whom it asks, when, and what it makes of who is late. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Hedge, hedged } from "../../src/client/fetch/hedged.ts";
import { forAll } from "../harness/property.ts";
import { World } from "../sim/world.ts";

const SLOW_MS = 1000;
const HOUR_MS = 3_600_000;

/** When a candidate delivers, or with a minus when it fails. */
type Courses = Readonly<Record<string, number>>;
type Counts = Pick<Hedge<string, number>, "first" | "needed" | "isEnough">;

const oneOf: Counts = { first: 1, needed: 1, isEnough: ({ size }) => size === 1 };
const anyOf = (count: number): Counts => ({
  first: count,
  needed: count,
  isEnough: ({ size }) => size === count,
});

/** Who had delivered at the end, and when that was; and all that was said and done, also after it. */
function run(courses: Courses, counts: Counts) {
  const world = new World(1);
  const log: string[] = [];
  const say = (what: string): void => void log.push(`${world.now} ${what}`);
  const ending = hedged<string, number>(
    { clock: world.clock(), ms: SLOW_MS },
    {
      ...counts,
      candidates: Object.keys(courses),
      ask(candidate) {
        say(`ask ${candidate}`);
        const ms = courses[candidate]!;
        const { promise, resolve, reject } = Promise.withResolvers<number>();
        world.after(Math.abs(ms), null, candidate, () => {
          if (ms > 0) resolve(ms);
          else reject(new Error(`no ${candidate}`));
        });
        return promise;
      },
      onSlow: (candidate) => say(`slow ${candidate}`),
      onFailed: (candidate, error) => say(`failed ${candidate} (${String(error)})`),
    },
  );
  const delivered = world.finish(ending);
  const at = world.now;
  world.pass(HOUR_MS);
  return { delivered: delivered && [...delivered.keys()], at, log };
}

describe("the first of many", () => {
  test("is the best one, and nobody else is asked, where it delivers in time", () => {
    const { delivered, at, log } = run({ a: SLOW_MS - 1, b: 1 }, oneOf);
    expect({ delivered, at }).toEqual({ delivered: ["a"], at: SLOW_MS - 1 });
    expect(log).toEqual(["0 ask a"]);
  });

  test("is the next one as soon as one fails", () => {
    const { delivered, at, log } = run({ a: -10, b: -10, c: 10, d: 10 }, oneOf);
    expect({ delivered, at }).toEqual({ delivered: ["c"], at: 30 });
    expect(log).toEqual([
      "0 ask a",
      "10 failed a (Error: no a)",
      "10 ask b",
      "20 failed b (Error: no b)",
      "20 ask c",
    ]);
  });

  test("is the next one where one is slow, each for as long", () => {
    const { delivered, at, log } = run({ a: HOUR_MS, b: HOUR_MS, c: 10 }, oneOf);
    expect({ delivered, at }).toEqual({ delivered: ["c"], at: 2010 });
    expect(log).toEqual(["0 ask a", "1000 slow a", "1000 ask b", "2000 slow b", "2000 ask c"]);
  });

  test("may be the slow one all the same", () => {
    const { delivered, at } = run({ a: 1200, b: 500 }, oneOf);
    expect({ delivered, at }).toEqual({ delivered: ["a"], at: 1200 });
  });

  test("nobody is asked in the place of a slow one twice", () => {
    const { log } = run({ a: -1200, b: 500, c: 10 }, oneOf);
    expect(log).toEqual(["0 ask a", "1000 slow a", "1000 ask b", "1200 failed a (Error: no a)"]);
  });

  test("the last one is waited for, however slow", () => {
    const { delivered, at, log } = run({ a: -10, b: 500_000 }, oneOf);
    expect({ delivered, at }).toEqual({ delivered: ["b"], at: 500_010 });
    expect(log).not.toContain("1010 slow b");
  });

  test("is nobody where all fail, or there is nobody", () => {
    expect(run({ a: -10, b: -2000, c: -10 }, oneOf)).toMatchObject({ delivered: null, at: 2010 });
    expect(run({}, oneOf)).toEqual({ delivered: null, at: 0, log: [] });
  });

  test("who fails after the end is named, and who is slow then is not", () => {
    const { at, log } = run({ a: -5000, b: 500, c: 10 }, oneOf);
    expect(at).toBe(1500);
    expect(log.slice(-1)).toEqual(["5000 failed a (Error: no a)"]);
    const late = run({ a: 1500, b: HOUR_MS, c: 10 }, oneOf);
    expect(late.log).toEqual(["0 ask a", "1000 slow a", "1000 ask b"]);
  });
});

describe("some of many", () => {
  test("are asked at once, and one more for each that fails or is slow", () => {
    const { delivered, at, log } = run({ a: 10, b: -20, c: HOUR_MS, d: 500, e: 10 }, anyOf(3));
    expect({ delivered, at }).toEqual({ delivered: ["a", "d", "e"], at: 1010 });
    expect(log.filter((line) => line.includes("ask"))).toEqual([
      "0 ask a",
      "0 ask b",
      "0 ask c",
      "20 ask d",
      "1000 ask e",
    ]);
  });

  test("where fewer would do at first, all that are needed are asked once that comes to nothing", () => {
    const counts: Counts = {
      first: 1,
      needed: 3,
      isEnough: (here) => here.has("a") || here.size === 3,
    };
    expect(run({ a: 10, b: 10, c: 10, d: 10 }, counts).log).toEqual(["0 ask a"]);
    const failing = run({ a: -10, b: 10, c: 10, d: 10, e: 10 }, counts);
    expect(failing.delivered).toEqual(["b", "c", "d"]);
    // It may come after all.
    const slow = run({ a: 1100, b: 500, c: 500, d: 500 }, counts);
    expect(slow).toMatchObject({ delivered: ["a"], at: 1100 });
  });

  test("whatever they do: none is asked twice, and it ends well where so many deliver", () => {
    const course = fc.integer({ min: -3 * SLOW_MS, max: 3 * SLOW_MS }).filter((ms) => ms !== 0);
    const lists = fc.array(course, { maxLength: 8 });
    forAll([lists, fc.integer({ min: 1, max: 4 })], (courses, count) => {
      const byName = Object.fromEntries(courses.map((ms, i) => [`c${i}`, ms]));
      const { delivered, log } = run(byName, anyOf(count));
      const asked = log.flatMap((line) => line.match(/ask (.*)/)?.[1] ?? []);
      expect(new Set(asked).size).toBe(asked.length);
      const willing = courses.filter((ms) => ms > 0).length;
      expect(delivered?.length ?? null).toBe(willing >= count ? count : null);
    });
  });
});
