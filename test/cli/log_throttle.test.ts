import { expect, test } from "bun:test";
import { LogThrottle } from "../../src/server/process/log_throttle.ts";
import { LOG_LINES_AT_ONCE } from "../../src/limits.ts";
import type { Notice } from "../../src/io/ports.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** A log whose time is set by hand. */
function throttle() {
  let ms = 0;
  const lines: string[] = [];
  const clock = { now: () => ms, wall: () => ms, after: () => () => {} };
  const log = new LogThrottle(clock, ({ line }) => lines.push(line));
  const at = (time: number): void => {
    ms = time;
    log.look();
  };
  const say = (line: string, event = "a"): void => log.notify({ level: "info", event, line });
  return { say, at, lines, log };
}

test("a few are said as they are, of each kind", () => {
  const { say, lines } = throttle();
  for (let i = 1; i <= LOG_LINES_AT_ONCE + 5; i++) say(`${i}`);
  say("other", "b");
  expect(lines).toHaveLength(LOG_LINES_AT_ONCE + 1);
  expect(lines.at(-1)).toBe("other");
});

test("then how many there were since, with the last of them, after a minute", () => {
  const { say, at, lines } = throttle();
  for (let i = 1; i <= LOG_LINES_AT_ONCE + 5; i++) say(`line ${i}`);
  at(MINUTE - 1);
  expect(lines).toHaveLength(LOG_LINES_AT_ONCE);
  at(MINUTE);
  expect(lines.at(-1)).toBe(`line ${LOG_LINES_AT_ONCE + 5}; 5 like it in the last 60 s`);
});

test("what was said of it is told once, and after a quiet time the next one is news", () => {
  const { say, at, lines } = throttle();
  for (let i = 0; i <= LOG_LINES_AT_ONCE; i++) say("before");
  at(MINUTE);
  at(10 * MINUTE);
  expect(lines).toHaveLength(LOG_LINES_AT_ONCE + 1);
  say("news");
  expect(lines.at(-1)).toBe("news");
});

test("at the end nothing is left uncounted", () => {
  const { say, log, lines } = throttle();
  for (let i = 1; i <= LOG_LINES_AT_ONCE + 5; i++) say(`${i}`);
  log.end();
  log.end();
  expect(lines.slice(LOG_LINES_AT_ONCE)).toEqual(["15; 5 like it in the last 0 s"]);
});

test("a flood of a day is some forty lines, and all are counted", () => {
  const counts: number[] = [];
  let ms = 0;
  const clock = { now: () => ms, wall: () => ms, after: () => () => {} };
  const log = new LogThrottle(clock, ({ facts }: Notice) => counts.push(Number(facts?.count ?? 1)));
  let said = 0;
  for (; ms < 24 * HOUR; ms += 500) {
    log.notify({ level: "warning", event: "login-failed", line: "x" });
    said++;
  }
  ms += HOUR;
  log.look();
  expect(counts.length).toBeLessThan(45);
  expect(counts.reduce((sum, n) => sum + n, 0)).toBe(said);
});
