/** The protocol's model, in its shortest form: what is sound stays so for a moment, and each rule that is broken is caught. */
import { expect, test } from "bun:test";
import type { Check } from "../model/check.ts";
import { CHECKS } from "../model/checks.ts";

/** Each from the seed on by which it is known to be caught. */
const HISTORIES_MOST = 400;
const SOUND_HISTORIES = 30;

/** The first thing that is wrong in so many histories; null: nothing. */
function wrongIn({ history, from, isOnce }: Check, most: number): string | null {
  for (let seed = from; seed < from + (isOnce ? 1 : most); seed++) {
    const { wrong } = history(seed);
    if (wrong !== null) return wrong;
  }
  return null;
}

const sound = CHECKS.filter(({ isBroken }) => !isBroken);
const broken = CHECKS.filter(({ isBroken }) => isBroken);

test.each(sound.map((check) => [check.name, check] as const))("%s", (_, check) => {
  expect(wrongIn(check, SOUND_HISTORIES)).toBeNull();
});

test.each(broken.map((check) => [check.name, check] as const))("%s", (_, check) => {
  expect(wrongIn(check, HISTORIES_MOST)).not.toBeNull();
});

test("each check has a name of its own", () => {
  const names = CHECKS.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});
