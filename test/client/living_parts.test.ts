/** The parts of a client that lives on, each by itself. */
import { describe, expect, test } from "bun:test";
import { afterTry, isDue, type LastTry } from "../../src/client/connect/living/next_try.ts";
import { Requests } from "../../src/client/connect/living/requests.ts";
import { seldom } from "../../src/client/connect/living/seldom.ts";
import { Endless } from "../../src/client/trust/endless.ts";
import { Space } from "../../src/client/trust/space.ts";
import {
  AGAIN_MS,
  LIST_PAGE,
  LONE_NAMES,
  RETRY_FIRST_MS,
  RETRY_MAX_MS,
  WARNINGS_REMEMBERED,
} from "../../src/limits.ts";
import { groupOf } from "../../src/quorum.ts";

describe("requests", () => {
  const waiting = { kind: "read", take: undefined, resolve: () => {}, reject: () => {} } as const;

  test("are numbered up to the largest number, then from 1, and never as one that waits", () => {
    const requests = new Requests(2 ** 32 - 3);
    for (const id of [2 ** 32 - 2, 1, 2, 4]) requests.wait(id, waiting);
    const ids = [requests.nextId(), requests.nextId(), requests.nextId()];
    expect(ids).toEqual([2 ** 32 - 1, 3, 5]);
  });

  test("wait until they are taken, one or all", () => {
    const requests = new Requests();
    for (let i = 0; i < 3; i++) requests.wait(requests.nextId(), waiting);
    expect(requests.take(2)).toBe(waiting);
    expect(requests.take(2)).toBeUndefined();
    expect(requests.takeAll()).toHaveLength(2);
    expect(requests.size).toBe(0);
  });
});

describe("the next try", () => {
  /** The time until the next try after so many failures. */
  function waitAfter(failures: number, fraction: number): number {
    let last: LastTry | undefined;
    for (let i = 0; i < failures; i++) last = afterTry(last, "refused", 1000, fraction);
    return (last?.nextAt ?? 0) - 1000;
  }

  test("is later with each failure, up to a bound, and random", () => {
    for (const fraction of [0, 0.5, 0.999]) {
      const waits = [1, 2, 3, 4, 20].map((failures) => waitAfter(failures, fraction));
      expect(waits).toEqual(waits.toSorted((a, b) => a - b));
      expect(waits[0]).toBeGreaterThanOrEqual(RETRY_FIRST_MS / 2);
      expect(waits.at(-1)).toBeLessThanOrEqual(RETRY_MAX_MS);
    }
    expect(waitAfter(3, 0)).toBeLessThan(waitAfter(3, 0.9));
  });

  test("is at once where there was none, and earlier where it is needed, unless the server is silent", () => {
    expect(isDue(undefined, 0, false)).toBe(true);
    for (const is of ["refused", "silent", "up"] as const) {
      let last = afterTry(undefined, "refused", 0, 0.9);
      for (let i = 0; i < 5; i++) last = afterTry(last, is, 0, 0.9);
      expect(isDue(last, RETRY_FIRST_MS / 2 - 1, true)).toBe(false);
      expect(isDue(last, RETRY_FIRST_MS / 2, true)).toBe(is !== "silent");
      expect(isDue(last, RETRY_FIRST_MS / 2, false)).toBe(false);
      expect(isDue(last, RETRY_MAX_MS, false)).toBe(true);
    }
  });
});

test("a warning is said at once, again only after some minutes, and few are remembered", () => {
  let now = 0;
  const said: string[] = [];
  const warn = seldom({ now: () => now }, (line) => said.push(line));
  for (const line of ["a", "b", "a"]) warn(line);
  now = AGAIN_MS - 1;
  warn("a");
  expect(said).toEqual(["a", "b"]);
  now = AGAIN_MS;
  warn("a");
  expect(said).toEqual(["a", "b", "a"]);
  for (let i = 0; i < WARNINGS_REMEMBERED; i++) warn(`line ${i}`);
  said.length = 0;
  warn("a");
  warn(`line ${WARNINGS_REMEMBERED - 1}`);
  expect(said).toEqual(["a"]);
});

describe("lists without end", () => {
  const quorum = [groupOf([0, 1, 2])] as const;
  const cluster = { space: new Space(""), warn: () => {}, labelOf: String };
  const page = { entries: [], done: true, complete: true } as never;
  const pages = new Map([0, 1, 2].map((slot) => [slot, page]));
  const lone = (count: number) =>
    Array.from({ length: count }, (_, i) => [`${i}`, new Map([[1, true]])] as const);

  test("many lists with a name that one server alone knows accuse nobody", () => {
    const endless = new Endless({ now: () => 0 });
    for (let i = 0; i < 5; i++)
      endless.ofOneList().judge(cluster, "list", LIST_PAGE, quorum, pages, lone(LONE_NAMES / 2));
    expect(endless.isOut(1)).toBe(false);
  });

  test("a server that lies is not believed for some minutes", () => {
    let now = 5;
    const endless = new Endless({ now: () => now });
    endless.ofOneList().judge(cluster, "list", LIST_PAGE, quorum, pages, lone(LONE_NAMES + 1));
    expect([0, 1, 2].map((slot) => endless.isOut(slot))).toEqual([false, true, false]);
    now += AGAIN_MS;
    expect(endless.isOut(1)).toBe(false);
  });
});
