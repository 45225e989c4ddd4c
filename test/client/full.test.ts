/** What repair leaves where it is, for a home has no room for it: never so that fewer pieces lie on servers of their own. */
import { expect, test } from "bun:test";
import { diagnose } from "../../src/client/care/diagnose.ts";
import { FullServers } from "../../src/client/care/full.ts";
import type { Accepted } from "../../src/version.ts";
import { configOf, ringFrom, versionOf, vidOf } from "../harness/arbitraries.ts";

const PLACES = 4;

/** What is left to do for a file of 3 pieces that servers 0, 1, 2 are home to, held so, while server 2 has no room. */
function left(holds: readonly (readonly number[])[], needed: number) {
  const ring = ringFrom(0, 3);
  const version = versionOf({ vid: vidOf(1), pieces: 3, needed, copies: 1, ring, size: 3000 });
  const current: Accepted = { ballot: 5n, version };
  const told = new Map(
    holds.map((pieces, slot) => [
      slot,
      {
        floor: 0n,
        register: { prom: 9n, acc: current, com: current },
        held: [{ cid: version.vid, pieces: [...pieces], bad: [] }],
        pending: [],
      },
    ]),
  );
  const full = new FullServers();
  full.add(2, 1);
  return full.feasible(diagnose(current, told, configOf(PLACES), 50), version, told, PLACES);
}

test("with parity no piece goes while one stays away from home", () => {
  // Server 0 has pieces 0 and 2, server 3 has piece 0 too: without it two servers would have all there is.
  const { missing, away, displaced } = left([[0, 2], [1], [], [0]], 2);
  expect({ missing, away, displaced }).toEqual({ missing: [], away: [], displaced: 1 });
});

test("what is too little is made anew where there is room, or tried", () => {
  const { missing, displaced } = left([[0, 2], [1], [], []], 2);
  expect({ missing, displaced }).toEqual({
    missing: [{ piece: 2, from: [0], to: [2] }],
    displaced: 0,
  });
});
