/** Where the pieces of a version belong once the servers are not those any more that it was put on. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { candidates, homes, homesOf, ringOf } from "../../src/file/placement.ts";
import { SERVERS_MAX } from "../../src/limits.ts";
import { type Config, heirOf, placesOf } from "../../src/membership.ts";
import type { Version } from "../../src/version.ts";
import { bytesOf, configOf, ringFrom, vid, vidOf, withHeirs } from "../harness/arbitraries.ts";
import { forAll } from "../harness/property.ts";

type Lies = Pick<Version, "ring" | "copies" | "cid" | "needed">;

const sorted = (slots: Iterable<number>): number[] => [...slots].toSorted((a, b) => a - b);
const upTo = (y: number): number[] => ringFrom(0, y);

/** A version on all of `y` servers, in pairs. */
const pairs = (x: number, y: number, of = vidOf(1)): Lies => ({
  ring: ringFrom(x, y),
  copies: Math.min(2, y),
  cid: of,
  needed: y,
});
/** One with parity. */
const striped = (ring: number[], of = vidOf(1)): Lies => ({
  ring,
  copies: 1,
  cid: of,
  needed: ring.length - 1,
});
const asPut = ({ ring, copies }: Lies): number[][] => ring.map((_, j) => homes(ring, j, copies));

/** A cluster that began with `y` servers; what became of it since; and a version that was put on the first ones. */
interface Changed {
  readonly y: number;
  readonly config: Config;
  readonly version: Lies;
}

/** Servers that came later, each as the heir of one before or of none; some leave, some are no members any more. */
const changed: fc.Arbitrary<Changed> = fc
  .record({
    y: fc.integer({ min: 1, max: 10 }),
    fresh: fc.array(fc.option(fc.nat(29)), { maxLength: 8 }),
    leaving: fc.uniqueArray(fc.nat(29), { maxLength: 6 }),
    gone: fc.uniqueArray(fc.nat(29), { maxLength: 6 }),
    digest: bytesOf(16),
    less: fc.nat(9),
    isPairs: fc.boolean(),
    vid,
  })
  .map(({ y, fresh, leaving, gone, digest, less, isPairs, vid: of }) => {
    const all = y + fresh.length;
    const heirs: Record<number, number> = {};
    for (const [i, before] of fresh.entries())
      if (before !== null && !(before % (y + i) in heirs)) heirs[before % (y + i)] = y + i;
    const replaced = Object.keys(heirs).map(Number);
    const stay = upTo(all).filter((slot) => !replaced.includes(slot) && !gone.includes(slot));
    const voters = stay.length > 0 ? stay : [all - 1];
    const config = configOf(all, {
      seats: withHeirs(configOf(all).seats, heirs),
      voters,
      leaving: leaving.filter((slot) => voters.includes(slot)).slice(0, voters.length - 1),
    });
    const ring = ringOf(digest, isPairs ? y : Math.max(1, y - less), configOf(y));
    const shape = isPairs ? { copies: Math.min(2, y), needed: y } : { copies: 1, needed: 1 };
    return { y, config, version: { ring, cid: of, ...shape } };
  });

/** The server that holds the pieces of one of the ring: itself, or the last of its heirs; null where it holds none any more. */
const standsIn = (config: Config, slot: number): number | null =>
  placesOf(config).includes(heirOf(config, slot)) ? heirOf(config, slot) : null;

describe("the homes of pieces", () => {
  test("are those of the ring while all its servers hold pieces, whoever else there is", () => {
    const sizes = fc.integer({ min: 1, max: SERVERS_MAX });
    forAll([sizes, sizes, fc.nat(29), vid], (one, other, x, of) => {
      const [y, all] = [Math.min(one, other), Math.max(one, other)];
      const version = pairs(x % y, y, of);
      expect(homesOf(version, configOf(all))).toEqual(asPut(version));
      // Servers that are about to come, or that leave and were none of its own, change nothing.
      const next = configOf(all + 1, { voters: upTo(all), next: upTo(all + 1), leaving: [all] });
      expect(homesOf(version, next)).toEqual(asPut(version));
      const ring = ringFrom(x % y, y);
      expect(homesOf(striped(ring, of), configOf(all))).toEqual(ring.map((slot) => [slot]));
    });
  });

  test("of a server that leaves are with others, and the rest stays", () => {
    const config = configOf(4, { leaving: [3] });
    // Piece j lives on j and j - 1; without 3 the pieces 0 and 3 have one home each.
    const [first, second, third, fourth] = homesOf(pairs(0, 4), config);
    expect([second, third]).toEqual([
      [1, 0],
      [2, 1],
    ]);
    expect([first?.[0], fourth?.[0]]).toEqual([0, 2]);
    expect(first?.[1]).toBeOneOf([1, 2]);
    expect(fourth?.[1]).toBeOneOf([0, 1]);
    // Each of them has two already, so that two more are shared out evenly.
    expect(first?.[1]).not.toBe(fourth?.[1]);
  });

  test("of a server that was replaced are with its heir, or the heir of that", () => {
    const one = configOf(5, {
      seats: withHeirs(configOf(5).seats, { 3: 4 }),
      voters: [0, 1, 2, 4],
    });
    const expected = (heir: number): number[][] => [
      [0, heir],
      [1, 0],
      [2, 1],
      [heir, 2],
    ];
    expect(homesOf(pairs(0, 4), one)).toEqual(expected(4));
    const two = configOf(6, {
      seats: withHeirs(configOf(6).seats, { 3: 4, 4: 5 }),
      voters: [0, 1, 2, 5],
    });
    expect(homesOf(pairs(0, 4), two)).toEqual(expected(5));
    // So it is from the moment on that it is being changed who decides.
    const changing = { ...one, voters: [0, 1, 2, 3], next: [0, 1, 2, 4] };
    expect(homesOf(pairs(0, 4), changing)).toEqual(expected(4));
    // An heir that leaves has others in its place, as any server.
    const left = homesOf(pairs(0, 4), { ...one, leaving: [4] });
    expect(left.every((slots) => new Set(slots).size === 2 && !slots.includes(4))).toBe(true);
  });

  test("with fewer places than pieces: every place has as many, but for one", () => {
    for (const copies of [1, 2])
      for (let y = 3; y <= 10; y++) {
        const version = { ...pairs(1, y), copies };
        const config = configOf(y, { voters: [1, 2], next: null });
        const found = homesOf(version, config);
        expect(found.every((slots) => new Set(slots).size === copies)).toBe(true);
        const counts = [1, 2].map((slot) => found.filter((slots) => slots.includes(slot)).length);
        expect(counts[0]! + counts[1]!).toBe(copies * y);
        expect(Math.abs(counts[0]! - counts[1]!)).toBeLessThanOrEqual(1);
      }
    expect(homesOf(pairs(1, 4), configOf(4, { voters: [2] }))).toEqual([[2], [2], [2], [2]]);
  });

  test("are so many different places as there are copies, or all places where these are fewer", () => {
    forAll([changed], ({ config, version }) => {
      const places = placesOf(config);
      const found = homesOf(version, config);
      expect(found.length).toBe(version.ring.length);
      for (const slots of found) {
        expect(slots.length).toBe(Math.min(version.copies, places.length));
        expect(new Set(slots).size).toBe(slots.length);
        expect(slots.every((slot) => places.includes(slot))).toBe(true);
      }
    });
  });

  test("are different ones too where a server of the ring is the heir of another", () => {
    const seats = withHeirs(configOf(5).seats, { 0: 3, 1: 3 });
    for (const ring of [[0, 3], [0, 1], [1, 0, 3], [3]])
      for (const voters of [
        [3, 4],
        [2, 3, 4],
      ])
        for (const slots of homesOf(
          { ring, copies: 2, cid: vidOf(1), needed: ring.length },
          configOf(5, { seats, voters }),
        )) {
          expect(slots.length).toBe(2);
          expect(new Set(slots).size).toBe(2);
          expect(slots.every((slot) => voters.includes(slot))).toBe(true);
        }
  });

  test("that still hold pieces, or their heirs, are kept, and come first", () => {
    forAll([changed], ({ config, version }) => {
      const found = homesOf(version, config);
      for (const [j, before] of asPut(version).entries()) {
        const kept = before.flatMap((slot) => standsIn(config, slot) ?? []);
        expect(found[j]?.slice(0, kept.length)).toEqual(kept);
      }
    });
  });

  test("follow from the version and the configuration alone, in whatever order its members are named", () => {
    forAll([changed], ({ config, version }) => {
      const found = homesOf(version, config);
      const turned = {
        ...config,
        epoch: config.epoch + 1,
        voters: config.voters.toReversed(),
        leaving: config.leaving.toReversed(),
      };
      expect(homesOf({ ...version }, turned)).toEqual(found);
    });
  });

  test("of pieces with parity are different servers while there are enough", () => {
    forAll(
      [changed],
      ({ config, version }) => {
        const found = homesOf({ ...version, copies: 1 }, config).flat();
        const places = placesOf(config);
        expect(new Set(found).size).toBe(Math.min(version.ring.length, places.length));
        const counts = places.map((slot) => found.filter((one) => one === slot).length);
        if (places.length >= version.ring.length) expect(Math.max(...counts)).toBe(1);
      },
      500,
    );
  });

  test("that are new are spread evenly over many versions", () => {
    const config = configOf(10, { leaving: [0] });
    const counts = Array.from({ length: 10 }, () => 0);
    for (let i = 0; i < 4000; i++) {
      const found = homesOf(striped([0, 1, 2, 3], vidOf(i)), config);
      expect(found.slice(1)).toEqual([[1], [2], [3]]);
      const [slot = 0] = found[0] ?? [];
      counts[slot] = (counts[slot] ?? 0) + 1;
    }
    expect(counts.slice(0, 4)).toEqual([0, 0, 0, 0]);
    expect(Math.min(...counts.slice(4))).toBeGreaterThan(580);
    expect(Math.max(...counts.slice(4))).toBeLessThan(760);
  });
});

describe("candidates", () => {
  test("are all servers, each once, the homes first, then on round the ring", () => {
    const all = homesOf(pairs(1, 4), configOf(4));
    expect(candidates(all, 2, upTo(4))).toEqual([3, 2, 1, 0]);
    const y = fc.integer({ min: 1, max: SERVERS_MAX });
    forAll([y, fc.nat(29), fc.nat(29)], (servers, x, number) => {
      const [piece, ring] = [number % servers, ringFrom(x % servers, servers)];
      const found = candidates(
        homesOf(pairs(x % servers, servers), configOf(servers)),
        piece,
        upTo(servers),
      );
      const round = Array.from(
        { length: servers },
        (_, k) => ring[(piece - k + servers) % servers]!,
      );
      expect(found).toEqual(round);
      expect(sorted(found)).toEqual(upTo(servers));
    });
  });

  test("are all places, whatever became of the cluster: the homes, those without a piece, then the others", () => {
    forAll([changed, fc.nat(29)], ({ config, version }, number) => {
      const [all, places] = [homesOf(version, config), placesOf(config)];
      const piece = number % all.length;
      const found = candidates(all, piece, places);
      expect(sorted(found)).toEqual(sorted(places));
      const own = all[piece]!;
      expect(found.slice(0, own.length)).toEqual(own);
      const without = places.filter((slot) => !all.flat().includes(slot));
      expect(sorted(found.slice(own.length, own.length + without.length))).toEqual(sorted(without));
    });
  });
});
