/**
 * What every implementation of the ports must do, as one suite: `contract.test.ts` runs it on each.
 */
import { describe, expect, test } from "bun:test";
import { diskContract } from "./disk_contract.ts";
import { type Harness, same, wait } from "./harness.ts";
import { netContract } from "./net_contract.ts";

/** Declares the whole contract for one implementation. */
export function portsContract(harness: Harness): void {
  describe(`${harness.name}: clock`, () => {
    test("timers fire in the order of their times, equal ones as they were made", () =>
      harness.run(async ({ clock }) => {
        const fired: string[] = [];
        for (const ms of [60, 20, 40, 20]) clock.after(ms, () => fired.push(`${ms}`));
        clock.after(0, () => fired.push("0"));
        expect(fired).toEqual([]);
        await wait(clock, 100);
        expect(fired).toEqual(["0", "20", "20", "40", "60"]);
      }));

    test("a timer that is cancelled does not fire, and cancelling one that fired does nothing", () =>
      harness.run(async ({ clock }) => {
        let fired = 0;
        const cancels = [0, 5, 10].map((ms) => clock.after(ms, () => fired++));
        for (const cancel of cancels) cancel();
        const late = clock.after(1, () => fired++);
        await wait(clock, 30);
        expect(fired).toBe(1);
        late();
        late();
      }));

    test("time goes on, never back, by what was waited", () =>
      harness.run(async ({ clock }) => {
        const start = clock.now();
        await wait(clock, 50);
        const passed = clock.now() - start;
        expect(passed).toBeGreaterThan(48);
        expect(passed).toBeLessThan(1000);
        expect(clock.wall()).toBeGreaterThan(Date.UTC(2024, 0, 1));
        expect(Number.isInteger(clock.wall())).toBe(true);
      }));
  });

  describe(`${harness.name}: random`, () => {
    test("gives as many bytes as asked for, and never the same", () =>
      harness.run(async ({ random }) => {
        for (const n of [0, 1, 7, 16, 1000]) expect(random.bytes(n)).toHaveLength(n);
        expect(same(random.bytes(16), random.bytes(16))).toBe(false);
        const fractions = Array.from({ length: 100 }, () => random.fraction());
        expect(new Set(fractions).size).toBeGreaterThan(90);
        expect(fractions.every((f) => f >= 0 && f < 1)).toBe(true);
      }));
  });

  netContract(harness);
  diskContract(harness);
}
