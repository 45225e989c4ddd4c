/** What repair finds to do with one name (docs/consistency.md section 4), from what servers tell. Four servers, x = 0: piece j lives on j and j - 1. */
import { describe, expect, test } from "bun:test";
import {
  diagnose,
  hasEmptyRow,
  isEmptyRow,
  type ReadReply,
} from "../../src/client/care/diagnose.ts";
import { homes } from "../../src/file/placement.ts";
import type { Config } from "../../src/membership.ts";
import type { Outline } from "../../src/outline.ts";
import type { Accepted, Ballot } from "../../src/version.ts";
import { configOf, ringFrom, versionOf, vidOf, withHeirs } from "../harness/arbitraries.ts";

const Y = 4;
const version = versionOf({
  vid: vidOf(1),
  pieces: Y,
  needed: Y,
  copies: 2,
  ring: ringFrom(0, Y),
});
const current: Accepted = { ballot: 5n, version };
const grave: Accepted = { ballot: 5n, version: { ...version, pieces: 0, deleted: true } };
const older: Accepted = { ballot: 3n, version: versionOf({ vid: vidOf(2) }) };
const newer: Accepted = { ballot: 7n, version: versionOf({ vid: vidOf(3) }) };

interface Says {
  acc?: Accepted | null;
  com?: Accepted | null;
  prom?: Ballot;
  floor?: Ballot;
  pieces?: number[];
  bad?: number[];
}
const atHome = (slot: number): number[] =>
  [0, 1, 2, 3].filter((piece) => homes(ringFrom(0, Y), piece, 2).includes(slot));

/** What the server in a slot tells: all is well, but for what is said here. */
function told(slot: number, value: Accepted | null, says: Says): ReadReply {
  const { acc = value, com = value, prom = 9n, floor = 0n } = says;
  const isFile = value !== null && !value.version.deleted;
  const { pieces = isFile ? atHome(slot) : [], bad = [] } = says;
  const held = pieces.length + bad.length > 0 ? [{ cid: version.vid, pieces, bad }] : [];
  return { floor, register: { prom, acc, com }, held, pending: [] };
}

/** Diagnoses a name of which the servers in these slots tell; the others are silent. */
function diagnosed(value: Accepted | null, says: Record<number, Says>, silent: number[] = []) {
  const slots = [0, 1, 2, 3].filter((slot) => !silent.includes(slot));
  const all = new Map(slots.map((slot) => [slot, told(slot, value, says[slot] ?? {})]));
  return diagnose(value, all, configOf(Y), 50);
}

const WELL = {
  isStray: false,
  isLagging: false,
  missing: [],
  away: [],
  lost: [],
  orphans: [],
  spared: 0,
  isGone: false,
};

describe("nothing is to do", () => {
  test("when all agree and hold what they should", () => {
    expect(diagnosed(current, {})).toEqual(WELL);
    expect(diagnosed(current, {}, [2])).toEqual(WELL);
  });

  test("with pieces when it is deleted or was never there", () => {
    expect(diagnosed(grave, {})).toEqual({ ...WELL, isGone: true });
    expect(diagnosed(null, {})).toEqual({ ...WELL, isGone: true });
  });
});

describe("registers", () => {
  test.each([
    ["accepted, not committed", { com: null }, true, true],
    ["an older value accepted and committed", { acc: older, com: older }, false, true],
    ["an older one committed, this one accepted", { com: older }, true, true],
    ["a newer one accepted, that was never chosen", { acc: newer }, true, false],
    ["nothing, and its floor is below", { acc: null, com: null, floor: 4n }, false, true],
    [
      "nothing, and its floor is as high: it would ignore a COMMIT",
      { acc: null, com: null, floor: 5n },
      true,
      true,
    ],
  ] as [string, Says, boolean, boolean][])("one has %s", (_, says, isStray, isLagging) => {
    expect(diagnosed(current, { 1: { pieces: atHome(1), ...says } })).toEqual({
      ...WELL,
      isStray,
      isLagging,
    });
  });

  test("a row that promises and holds nothing is empty; one that holds, or is none, is not", () => {
    expect(isEmptyRow(told(0, null, { prom: 9n }))).toBe(true);
    expect(isEmptyRow(told(0, null, { prom: 9n, floor: 9n }))).toBe(false);
    // The floor rose over it since.
    expect(isEmptyRow(told(0, null, { prom: 3n, floor: 9n }))).toBe(true);
    expect(isEmptyRow(told(0, current, {}))).toBe(false);
    expect(isEmptyRow(told(0, null, { acc: older }))).toBe(false);
  });

  test("a name that a server lists with nothing has such a row, though its promise is the floor", () => {
    const row = { acc: null, com: null, others: false, damaged: false, here: [] };
    const outline = { vid: vidOf(1) } as Outline;
    const named = (...all: object[]) => ({
      reports: new Map(all.map((one, slot) => [slot, { ...row, ...one }])),
    });
    expect(hasEmptyRow(named({ com: outline }, {}))).toBe(true);
    expect(hasEmptyRow(named({ com: outline }, { acc: outline }))).toBe(false);
    // There may be pieces without a row, and of a damaged one nothing is known.
    expect(hasEmptyRow(named({ others: true }, { damaged: true }))).toBe(false);
  });
});

describe("pieces", () => {
  test("that a home lacks, or has damaged, are had from those that have them", () => {
    const missing = [{ piece: 1, from: [1], to: [0] }];
    expect(diagnosed(current, { 0: { pieces: [0] } })).toEqual({ ...WELL, missing });
    expect(diagnosed(current, { 0: { pieces: [0], bad: [1] } })).toEqual({ ...WELL, missing });
  });

  test("of a home that is silent are not copied, and nothing in its stead is taken away", () => {
    expect(diagnosed(current, { 2: { pieces: [2, 3, 0] } }, [3])).toEqual(WELL);
  });

  test("with parity stay where they are while the home of any is silent", () => {
    const ring = ringFrom(0, 3);
    const striped = versionOf({ vid: vidOf(1), pieces: 3, needed: 2, copies: 1, ring });
    const value: Accepted = { ballot: 5n, version: striped };
    const holds = [[0, 2], [1], [], [0]];
    const all = new Map(holds.map((pieces, slot) => [slot, told(slot, value, { pieces })]));
    const missing = [{ piece: 2, from: [0], to: [2] }];
    const away = [
      { piece: 0, homes: [0], slots: [3] },
      { piece: 2, homes: [2], slots: [0] },
    ];
    expect(diagnose(value, all, configOf(Y), 50)).toEqual({ ...WELL, missing, away });
    all.delete(2);
    expect(diagnose(value, all, configOf(Y), 50)).toEqual(WELL);
  });

  test("that were handed off go once their homes answer, damaged ones too", () => {
    const away = [{ piece: 0, homes: [0, 3], slots: [2] }];
    expect(diagnosed(current, { 2: { pieces: [2, 3, 0] } })).toEqual({ ...WELL, away });
    expect(diagnosed(current, { 2: { pieces: [2, 3], bad: [0] } })).toEqual({ ...WELL, away });
  });

  test("that are away while a home lacks them are copied and then taken away", () => {
    const says = { 2: { pieces: [2, 3, 0] }, 3: { pieces: [3] } };
    expect(diagnosed(current, says)).toEqual({
      ...WELL,
      missing: [{ piece: 0, from: [0, 2], to: [3] }],
      away: [{ piece: 0, homes: [0, 3], slots: [2] }],
    });
  });

  test("are looked for by their content: a version may have that of one before", () => {
    const later = versionOf({ ...version, vid: vidOf(9), cid: version.vid });
    expect(diagnosed({ ballot: 6n, version: later }, {})).toEqual(WELL);
    const other = versionOf({ ...version, cid: vidOf(9) });
    expect(diagnosed({ ballot: 6n, version: other }, {})).toEqual({ ...WELL, lost: [0, 1, 2, 3] });
  });

  test("that nobody has are lost; their homes are not told to have them from nowhere", () => {
    const says = { 0: { pieces: [1] }, 3: { pieces: [3] } };
    expect(diagnosed(current, says)).toEqual({ ...WELL, lost: [0] });
    expect(diagnosed(current, {}, [0, 3])).toEqual({ ...WELL, lost: [0] });
  });
});

describe("pieces while the cluster changes", () => {
  const five = configOf(5, { voters: [0, 1, 2, 3] });
  const diagnosedIn = (config: Config, says: Record<number, Says>, silent: number[] = []) => {
    const slots = [0, 1, 2, 3, 4].filter((slot) => !silent.includes(slot));
    const all = new Map(slots.map((slot) => [slot, told(slot, current, says[slot] ?? {})]));
    return diagnose(current, all, config, 50);
  };
  /** Server 4 takes the place of server 3. */
  const replaced = {
    ...five,
    seats: withHeirs(five.seats, { 3: 4 }),
    next: [0, 1, 2, 4],
    leaving: [3],
  };

  test("of a server that is replaced go to its heir, and then away from it", () => {
    expect(diagnosedIn(replaced, {})).toEqual({
      ...WELL,
      missing: [
        { piece: 0, from: [0, 3], to: [4] },
        { piece: 3, from: [2, 3], to: [4] },
      ],
      away: [
        { piece: 0, homes: [0, 4], slots: [3] },
        { piece: 3, homes: [4, 2], slots: [3] },
      ],
    });
    const done = { 3: { pieces: [] }, 4: { pieces: [0, 3] } };
    expect(diagnosedIn(replaced, done)).toEqual(WELL);
  });

  test("stay with a server that is replaced while its heir is silent", () => {
    expect(diagnosedIn(replaced, {}, [4])).toEqual(WELL);
  });

  test("of a server that leaves go to the others, none to one that is not to hold any", () => {
    const { missing, away, ...others } = diagnosedIn({ ...five, leaving: [3] }, {}, [4]);
    expect(others).toEqual({
      isStray: false,
      isLagging: false,
      lost: [],
      orphans: [],
      spared: 0,
      isGone: false,
    });
    expect(missing.map(({ piece, from }) => ({ piece, from }))).toEqual([
      { piece: 0, from: [0, 3] },
      { piece: 3, from: [2, 3] },
    ]);
    expect(away.map(({ piece, slots }) => ({ piece, slots }))).toEqual([
      { piece: 0, slots: [3] },
      { piece: 3, slots: [3] },
    ]);
    expect(missing.every(({ to }) => to.length === 1 && to[0]! < 3)).toBe(true);
  });
});

describe("orphans", () => {
  const holding = (vid: string, age: number, cid = vid): ReadReply => ({
    ...told(0, current, {}),
    pending: [{ vid, cid, age }],
  });
  const found = (...all: ReadReply[]) =>
    diagnose(current, new Map(all.map((one, slot) => [slot, one])), configOf(Y), 50);
  const orphansOf = (...all: ReadReply[]): readonly string[] =>
    found(...all).orphans.map(({ vid }) => vid);

  test("are versions whose pieces came and that no register knows, each named once", () => {
    expect(orphansOf(holding(vidOf(8), 99), holding(vidOf(8), 99))).toEqual([vidOf(8)]);
    expect(orphansOf(holding(vidOf(8), 99), holding(vidOf(9), 99))).toEqual([vidOf(8), vidOf(9)]);
  });

  test("are not those that some server has accepted or committed", () => {
    expect(orphansOf(holding(newer.version.vid, 99), told(1, current, { acc: newer }))).toEqual([]);
    expect(orphansOf(holding(older.version.vid, 99), told(1, current, { com: older }))).toEqual([]);
  });

  test("are left alone while they are young anywhere: they may belong to a put that goes on", () => {
    expect(orphansOf(holding(vidOf(8), 50))).toEqual([vidOf(8)]);
    expect(orphansOf(holding(vidOf(8), 49))).toEqual([]);
    expect(orphansOf(holding(vidOf(8), 99), holding(vidOf(8), 49))).toEqual([]);
    expect(found(holding(vidOf(8), 99), holding(vidOf(9), 49)).spared).toBe(1);
  });

  test("may have the content of the current version: they are other versions all the same", () => {
    expect(found(holding(vidOf(8), 99, version.vid)).orphans).toEqual([
      { vid: vidOf(8), cid: version.vid, age: 99 },
    ]);
  });
});
