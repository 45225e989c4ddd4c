import { expect, test } from "bun:test";
import { everyOther } from "../../src/client/agree/fast_path.ts";
import { canRead, groupOf } from "../../src/quorum.ts";

test("few servers see every chosen value, and of two neighbours one is among them", () => {
  for (let n = 1; n <= 30; n++) {
    const slots = Array.from({ length: n }, (_, i) => 3 * i);
    const group = groupOf(slots);
    for (let start = 0; start < 2 * n; start++) {
      const few = everyOther(group, start);
      expect(new Set(few).size).toBe(few.length);
      expect(few).toHaveLength(group.read);
      expect(canRead([group], few)).toBe(true);
      for (const [i, slot] of slots.entries())
        expect(few.includes(slot) || few.includes(slots[(i + 1) % n] as number)).toBe(true);
    }
  }
});
