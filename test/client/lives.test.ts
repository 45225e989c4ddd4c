/** What follows from what servers know of each other's lives: whom to ask, whom to tell, and when a copy counts. */
import { describe, expect, test } from "bun:test";
import { claimsOn, isKnownByEnough, newsFor, type Standing } from "../../src/client/trust/lives.ts";

const life = (number: number, mark = `mark ${number}`) => ({ life: number, mark });

/** A server in its third life, which knows these of others. */
const standing = (sid: string, more: Partial<Standing> = {}): Standing => ({
  sid,
  now: life(3, `${sid} 3`),
  known: [],
  isUnsettled: false,
  own: new Set(),
  ...more,
});
const knows = (sid: string, number: number, mark = `${sid} ${number}`) => ({
  sid,
  ...life(number, mark),
});

describe("a server is asked for", () => {
  const of = standing("a");

  test("the lives that others and this computer know of it, each once", () => {
    const all = [
      of,
      standing("b", { known: [knows("a", 2), knows("c", 9)] }),
      standing("c", { known: [knows("a", 2)] }),
    ];
    expect(claimsOn(of, all, [life(1, "a 1")])).toEqual([
      { ...life(1, "a 1"), by: null },
      { ...life(2, "a 2"), by: "c" },
    ]);
  });

  test("nothing that is its present life, or that it has said was its own", () => {
    const asked = { ...of, own: new Set(["a 1"]) };
    const all = [asked, standing("b", { known: [knows("a", 3)] })];
    expect(claimsOn(asked, all, [life(1, "a 1")])).toEqual([]);
  });

  test("a higher life than its present one, and an equal one with another mark", () => {
    const all = [of, standing("b", { known: [knows("a", 7)] })];
    expect(claimsOn(of, all, [life(3, "another")])).toHaveLength(2);
  });
});

describe("a server is told", () => {
  const all = [standing("a"), standing("b"), standing("c")];

  test("the present lives of those that it does not know", () => {
    expect(newsFor(standing("a", { known: [knows("b", 3)] }), all)).toEqual([
      { sid: "c", from: null, ...life(3, "c 3") },
    ]);
  });

  test("from which life on, where it knows an earlier one", () => {
    const to = standing("a", { known: [knows("b", 2), knows("c", 3)] });
    expect(newsFor(to, all)).toEqual([{ sid: "b", from: "b 2", ...life(3, "b 3") }]);
  });
});

describe("a copy counts once so many know it", () => {
  const copy = standing("a", { isUnsettled: true });
  const known = [knows("a", 3)];
  const groupOf = (count: number, accept: number) => ({
    sids: ["a", "b", "c", "d", "e"].slice(0, count),
    accept,
  });

  test.each([
    [1, 1, 0],
    [2, 2, 1],
    [3, 2, 2],
    [4, 3, 3],
    [5, 3, 3],
  ])("of %i servers, where %i choose a value: %i others", (count, accept, needed) => {
    const others = ["b", "c", "d", "e"].slice(0, count - 1);
    for (let knowing = 0; knowing < count; knowing++) {
      const all = [
        copy,
        ...others.map((sid, i) => standing(sid, { known: i < knowing ? known : [] })),
      ];
      expect(isKnownByEnough(copy, all, [groupOf(count, accept)])).toBe(knowing >= needed);
    }
  });

  test("it is of both groups, while who decides changes", () => {
    const all = [copy, standing("b", { known }), standing("c", { known }), standing("d")];
    const after = { sids: ["a", "c", "d"], accept: 2 };
    expect(isKnownByEnough(copy, all, [groupOf(3, 2)])).toBe(true);
    expect(isKnownByEnough(copy, all, [groupOf(3, 2), after])).toBe(false);
  });

  test("what is known is this very life", () => {
    const all = [copy, standing("b", { known: [knows("a", 2)] }), standing("c", { known })];
    expect(isKnownByEnough(copy, all, [groupOf(3, 2)])).toBe(false);
  });
});
