import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  absentRow,
  accept,
  commit,
  mayCollect,
  mayDrop,
  mayForget,
  prepare,
} from "../../src/store/acceptor.ts";
import { BALLOT_STEP } from "../../src/limits.ts";
import {
  type Accepted,
  type Ballot,
  boundOf,
  type Register,
  type Version,
} from "../../src/version.ts";
import { historyOf, versionOf, vidOf } from "../harness/arbitraries.ts";
import { forAll } from "../harness/property.ts";

const file = (n: number, history: number[] = []): Version =>
  versionOf({ vid: vidOf(n), history: historyOf(...history.map(vidOf)) });
const tombstone = (n: number): Version => ({ ...file(n), deleted: true });
const at = (ballot: Ballot, version: Version): Accepted => ({ ballot, version });
const row = (prom: Ballot, acc: Accepted | null, com: Accepted | null): Register => ({
  prom,
  acc,
  com,
});

describe("PREPARE", () => {
  const held = row(5n, at(3n, file(1)), at(3n, file(1)));

  test.each([
    ["a ballot above the promise", held, 6n, true],
    ["the promised ballot again, before it was accepted", held, 5n, true],
    ["the promised ballot, already accepted", row(5n, at(5n, file(1)), null), 5n, false],
    ["a ballot below the promise", held, 4n, false],
    ["a ballot that was accepted, below the promise", held, 3n, false],
    ["on nothing, above the floor", absentRow(2n), 3n, true],
    ["on nothing, at the floor", absentRow(2n), 2n, true],
    ["on nothing, below the floor", absentRow(2n), 1n, false],
  ])("%s", (_, old, ballot, granted) => {
    expect(prepare(old, 0n, ballot)).toEqual(granted ? { ...old, prom: ballot } : "low");
  });
});

describe("ACCEPT", () => {
  const held = row(5n, at(3n, file(1)), at(3n, file(1)));

  test.each([
    ["at the promise", held, 5n, true],
    ["above the promise", held, 9n, true],
    ["below the promise", held, 4n, false],
    ["on nothing, at the floor", absentRow(2n), 2n, true],
    ["on nothing, below the floor", absentRow(2n), 1n, false],
  ])("%s", (_, old, ballot, taken) => {
    const version = file(7);
    const expected = taken ? { ...old, prom: ballot, acc: { ballot, version } } : "low";
    expect(accept(old, 0n, ballot, version)).toEqual(expected);
  });

  test("again is done already, even when more was promised since", () => {
    const once = accept(held, 0n, 6n, file(7)) as Register;
    expect(accept(once, 0n, 6n, file(7))).toBe(once);
    const promised = prepare(once, 0n, 8n) as Register;
    expect(accept(promised, 0n, 6n, file(7))).toBe(promised);
  });
});

describe("COMMIT", () => {
  test("raises the accepted value and the promise to at least itself", () => {
    const done = { row: row(4n, at(4n, file(2)), at(4n, file(2))), over: [vidOf(2)] };
    expect(commit(absentRow(0n), 0n, at(4n, file(2)))).toEqual(done);
    expect(commit(row(3n, at(1n, file(1)), null), 0n, at(4n, file(2)))).toEqual(done);
  });

  test("leaves a later accepted value and a higher promise", () => {
    const later = row(9n, at(6n, file(3)), null);
    const done = commit(later, 0n, at(4n, file(2)));
    expect(done).toEqual({ row: row(9n, at(6n, file(3)), at(4n, file(2))), over: [vidOf(2)] });
  });

  test("that is not newer changes nothing", () => {
    const held = row(5n, at(5n, file(2)), at(5n, file(2)));
    expect(commit(held, 0n, at(5n, file(2)))).toBeNull();
    expect(commit(held, 0n, at(4n, file(1)))).toBeNull();
  });

  test("of a name that was forgotten is ignored up to the floor, and counts above it", () => {
    expect(commit(absentRow(7n), 7n, at(6n, file(1)))).toBe("ignored");
    expect(commit(absentRow(7n), 7n, at(7n, file(1)))).toBe("ignored");
    expect(commit(absentRow(7n), 7n, at(8n, file(1)))).not.toBe("ignored");
  });

  test("below the floor counts where there is a row", () => {
    expect(commit(row(9n, at(3n, file(1)), null), 7n, at(3n, file(1)))).not.toBe("ignored");
    expect(commit(row(9n, null, null), 7n, at(3n, file(1)))).toBe("ignored");
  });

  test("ends what it commits and all its ancestors, which are pending no more", () => {
    const old = row(3n, at(3n, file(3)), at(3n, file(3)));
    const done = commit(old, 0n, at(5n, file(5, [4, 3, 2])));
    expect(done).toMatchObject({ over: [5, 4, 3, 2].map(vidOf) });
  });

  test("does not end what is accepted above it", () => {
    const pending = row(9n, at(9n, file(4)), at(3n, file(3)));
    expect(commit(pending, 0n, at(5n, file(5, [4, 3])))).toMatchObject({
      over: [5, 3].map(vidOf),
    });
    // The same version, accepted anew by somebody who finished it.
    const same = row(3n, at(3n, file(3)), at(3n, file(3)));
    expect(commit(same, 0n, at(5n, file(3, [2])))).toMatchObject({ over: [3, 2].map(vidOf) });
  });
});

describe("a ballot too far above what a server has promised, and what its space has forgotten", () => {
  const round = (n: bigint, c = 1n): Ballot => (n << 64n) | c;
  const step = BigInt(BALLOT_STEP);
  const held = row(round(5n), at(round(3n), file(1)), at(round(3n), file(1)));
  const version = file(7);

  test.each([
    ["of a name that was promised something", held, 0n, 5n + step],
    ["of a name whose space has forgotten more", held, round(9n), 9n + step],
    ["of a name that it has no row of", absentRow(round(9n)), round(9n), 9n + step],
    ["of a name that it never heard of", absentRow(0n), 0n, step],
  ])("%s", (_, old, floor, most) => {
    const last = round(most, (1n << 64n) - 1n);
    const next = round(most + 1n, 0n);
    expect(prepare(old, floor, last)).toEqual({ ...old, prom: last });
    expect(prepare(old, floor, next)).toBe("high");
    expect(accept(old, floor, last, version)).toMatchObject({ prom: last });
    expect(accept(old, floor, next, version)).toBe("high");
    expect(commit(old, floor, at(last, version))).toMatchObject({ row: { prom: last } });
    expect(commit(old, floor, at(next, version))).toBe("high");
  });

  test("can be come to in steps", () => {
    let now = absentRow(0n);
    for (let n = 1n; n <= 5n; n++) now = prepare(now, 0n, boundOf(now.prom)) as Register;
    expect(now.prom).toBe(round(5n * step, 0n));
    expect(accept(now, 0n, round(5n * step), version)).toMatchObject({ prom: round(5n * step) });
  });
});

describe("FORGET", () => {
  const gone = at(5n, tombstone(1));
  test.each([
    ["exactly this tombstone", row(5n, gone, gone), 5n, true],
    ["this tombstone under a higher promise", row(9n, gone, gone), 5n, true],
    ["a tombstone at another ballot", row(5n, gone, gone), 4n, false],
    ["a tombstone that is not committed", row(5n, gone, null), 5n, false],
    ["a tombstone committed at a lower ballot", row(6n, at(6n, tombstone(1)), gone), 6n, false],
    ["a tombstone under a later value", row(6n, at(6n, file(2)), gone), 5n, false],
    ["a file", row(5n, at(5n, file(1)), at(5n, file(1))), 5n, false],
    ["a promise alone", row(5n, null, null), 5n, true],
    ["a promise alone, whatever the ballot", row(5n, null, null), 1n, true],
    ["nothing", absentRow(0n), 5n, true],
  ])("%s", (_, old, ballot, allowed) => {
    expect(mayForget(old, ballot)).toBe(allowed);
  });
});

describe("COLLECT", () => {
  const held = row(5n, at(5n, file(2)), at(3n, file(1)));
  const pending = [9, 2, 1].map((n) => ({ vid: vidOf(n), cid: vidOf(n) }));
  test.each([
    ["a pending version, at exactly the promise", 5n, 9, true],
    ["a pending version, below the promise", 4n, 9, false],
    ["a pending version, above the promise", 6n, 9, false],
    ["one that is not pending", 5n, 8, false],
    ["what is accepted", 5n, 2, false],
    ["what is committed", 5n, 1, false],
  ])("%s", (_, ballot, vid, allowed) => {
    expect(mayCollect(held, pending, ballot, { vid: vidOf(vid), spare: false })).toBe(allowed);
  });

  test("one whose content others have, too, only where that is known here", () => {
    const cid = vidOf(7);
    const doomed = { vid: vidOf(9), spare: true };
    const nine = { vid: vidOf(9), cid };
    const eight = { vid: vidOf(8), cid };
    expect(mayCollect(held, [nine], 5n, doomed)).toBe(false);
    expect(mayCollect(held, [nine, eight], 5n, doomed)).toBe(true);
    const known = at(5n, versionOf({ vid: vidOf(2), cid }));
    expect(mayCollect(row(5n, known, known), [nine], 5n, doomed)).toBe(true);
  });
});

describe("DROP", () => {
  const version = (vid: number, first: number) =>
    versionOf({ vid: vidOf(vid), cid: vidOf(7), pieces: 1, ring: [first] });
  const isAway = ({ ring }: Version): boolean => ring[0] !== 0;
  const com = at(3n, version(1, 1));
  test.each([
    ["what is away", row(5n, com, com), true],
    ["what is at home", row(5n, at(3n, version(1, 0)), at(3n, version(1, 0))), false],
    ["what is at home by the ring that was accepted", row(5n, at(5n, version(2, 0)), com), false],
    ["the content of nothing committed", row(5n, com, null), false],
  ])("%s", (_, held, allowed) => {
    expect(mayDrop(held, [], vidOf(7), isAway)).toBe(allowed);
  });

  test("nothing that a pending version counts on", () => {
    const pending = { vid: vidOf(9), cid: vidOf(7) };
    expect(mayDrop(row(5n, com, com), [pending], vidOf(7), isAway)).toBe(false);
  });
});

describe("whatever comes, in whatever order", () => {
  interface Message {
    readonly kind: "prepare" | "accept" | "commit" | "forget";
    readonly ballot: Ballot;
    readonly vid: number;
    readonly history: number[];
    readonly deleted: boolean;
  }
  const message: fc.Arbitrary<Message> = fc.record({
    kind: fc.constantFrom("prepare", "accept", "commit", "forget"),
    ballot: fc.bigInt({ min: 0n, max: 12n }),
    vid: fc.nat(5),
    history: fc.array(fc.nat(5), { maxLength: 4 }),
    deleted: fc.boolean(),
  });
  interface Server {
    row: Register;
    floor: Ballot;
  }

  /** Applies a message as a server does, and checks what must hold of this one step. */
  function step(server: Server, { kind, ballot, vid, history, deleted }: Message): Server {
    const { row: old, floor } = server;
    const version = { ...file(vid, history), deleted };
    switch (kind) {
      case "prepare": {
        const next = prepare(old, floor, ballot);
        expect(typeof next !== "string").toBe(
          ballot > old.prom || (ballot === old.prom && old.acc?.ballot !== ballot),
        );
        return { row: typeof next === "string" ? old : next, floor };
      }
      case "accept": {
        const next = accept(old, floor, ballot, version);
        if (typeof next === "string")
          expect(ballot < old.prom && old.acc?.ballot !== ballot).toBe(true);
        else expect(accept(next, floor, ballot, version)).toEqual(next);
        return { row: typeof next === "string" ? old : next, floor };
      }
      case "commit": {
        const done = commit(old, floor, { ballot, version });
        if (done === null || typeof done === "string") return server;
        expect(done.row.com).toEqual({ ballot, version });
        const accepted = done.row.acc?.version.vid;
        if (accepted !== version.vid)
          expect(done.over as (string | undefined)[]).not.toContain(accepted);
        expect(commit(done.row, floor, { ballot, version })).toBeNull();
        return { row: done.row, floor };
      }
      case "forget": {
        if (!mayForget(old, ballot)) return server;
        const isTombstone = old.com?.ballot === ballot && old.com.version.deleted;
        expect(isTombstone || (old.acc === null && old.com === null)).toBe(true);
        const raised = old.prom > floor ? old.prom : floor;
        return { row: absentRow(raised), floor: raised };
      }
    }
  }

  test("no promise ever falls, and committed <= accepted <= promised, floor <= promised", () => {
    forAll(
      [fc.array(message, { maxLength: 30, size: "large" }), fc.bigInt({ min: 0n, max: 3n })],
      (messages, floor) => {
        let server: Server = { row: absentRow(floor), floor };
        for (const one of messages) {
          const before = server;
          server = step(server, one);
          const { prom, acc, com } = server.row;
          expect(prom >= before.row.prom && server.floor >= before.floor).toBe(true);
          expect(prom >= server.floor).toBe(true);
          expect(acc === null || acc.ballot <= prom).toBe(true);
          expect(com === null || (acc !== null && com.ballot <= acc.ballot)).toBe(true);
          if (server.floor === before.floor) {
            expect((acc?.ballot ?? 0n) >= (before.row.acc?.ballot ?? 0n)).toBe(true);
            expect((com?.ballot ?? 0n) >= (before.row.com?.ballot ?? 0n)).toBe(true);
          }
        }
      },
      2000,
    );
  });
});
