import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { inParallel, Window } from "../../src/client/connect/window.ts";
import { CHUNK_BYTES, CHUNKS_IN_FLIGHT } from "../../src/limits.ts";
import { forAllAsync } from "../harness/property.ts";

/** Lets everything go on that can. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("the window", () => {
  test("lends so many buffers, each once, and the next one when one comes back", async () => {
    const window = new Window();
    const lent = await Promise.all(Array.from({ length: CHUNKS_IN_FLIGHT }, () => window.take()));
    expect(new Set(lent).size).toBe(CHUNKS_IN_FLIGHT);
    expect(lent.every((buffer) => buffer.length === CHUNK_BYTES)).toBe(true);
    const order: string[] = [];
    const first = window.take().then((buffer) => (order.push("first"), buffer));
    const second = window.take().then((buffer) => (order.push("second"), buffer));
    await settled();
    expect(order).toEqual([]);
    window.giveBack(lent[5]!);
    expect(await first).toBe(lent[5]!);
    await settled();
    expect(order).toEqual(["first"]);
    window.giveBack(lent[6]!);
    expect(await second).toBe(lent[6]!);
  });

  test("takes back whole buffers only", async () => {
    const window = new Window();
    const buffer = await window.take();
    expect(() => window.giveBack(buffer.subarray(0, 10))).toThrow("bug");
    window.giveBack(buffer);
    expect(await window.take()).toBe(buffer);
  });

  test("never lends more than its limit, nor one buffer twice, and forgets nobody who waits", async () => {
    // More is taken than given back, so that mostly somebody waits.
    const step = fc.constantFrom("take", "take", "give back");
    await forAllAsync([fc.array(step, { minLength: 60, maxLength: 200 })], async (steps) => {
      const window = new Window();
      const lent: Uint8Array[] = [];
      const twice: Uint8Array[] = [];
      let asked = 0;
      let got = 0;
      const take = async (): Promise<void> => {
        asked++;
        const buffer = await window.take();
        got++;
        if (lent.includes(buffer)) twice.push(buffer);
        lent.push(buffer);
      };
      for (const one of steps) {
        if (one === "take") void take();
        else if (lent.length > 0) window.giveBack(lent.shift()!);
        await settled();
        expect(lent.length).toBe(Math.min(CHUNKS_IN_FLIGHT, lent.length + asked - got));
      }
      while (got < asked) {
        window.giveBack(lent.shift()!);
        await settled();
      }
      expect(twice).toEqual([]);
    });
  });
});

describe("inParallel", () => {
  test("works on all items, in their order, never on more than so many at once", async () => {
    await forAllAsync([fc.nat(20), fc.integer({ min: 1, max: 6 })], async (count, width) => {
      const items = Array.from({ length: count }, (_, i) => i);
      const begun: number[] = [];
      const ended: number[] = [];
      let busy = 0;
      let most = 0;
      await inParallel(items, width, async (item) => {
        begun.push(item);
        most = Math.max(most, ++busy);
        for (let turns = 1 + ((item * 7) % 5); turns > 0; turns--) await Promise.resolve();
        busy--;
        ended.push(item);
      });
      expect(begun).toEqual(items);
      expect(ended.toSorted((a, b) => a - b)).toEqual(items);
      expect(most).toBe(Math.min(width, count));
    });
  });

  test("after an error it begins nothing new, waits for what goes on, and throws that error", async () => {
    const begun: number[] = [];
    const ended: number[] = [];
    const work = async (item: number): Promise<void> => {
      begun.push(item);
      if (item === 1) throw new Error("one");
      await settled();
      ended.push(item);
    };
    const error = await inParallel([0, 1, 2, 3, 4], 3, work).catch((thrown: unknown) => thrown);
    expect(begun).toEqual([0, 1, 2]);
    expect(ended).toEqual([0, 2]);
    expect((error as Error).message).toBe("one");
  });
});
