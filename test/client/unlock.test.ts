/** The key of a user's files, with one of four servers that lies about it: it must not have the others take a lie for the key. */
import { describe, expect, test } from "bun:test";
import { createHash, hkdfSync } from "node:crypto";
import { concat } from "../../src/bytes.ts";
import { STRETCHES_MAX } from "../../src/limits.ts";
import { readName } from "../../src/client/agree/register.ts";
import { type KnownKey, rewrap, unlock } from "../../src/client/agree/unlock.ts";
import { Cluster } from "../../src/client/connect/cluster.ts";
import { Opener } from "../../src/client/trust/opener.ts";
import {
  type Cost,
  costOf,
  costsIn,
  gcmSeal,
  keysOf,
  unwrapMaster,
  wrapMaster,
} from "../../src/file/keys.ts";
import { KEY_NAME } from "../../src/file/names.ts";
import { bunClock, bunRandom } from "../../src/io/bun.ts";
import { absentRow, accept, commit, prepare } from "../../src/store/acceptor.ts";
import type { Ballot, Register, Version } from "../../src/version.ts";
import { configOf, versionOf } from "../harness/arbitraries.ts";
import { openerOf, openingOf, secretOf } from "../harness/secret.ts";
import { rejectionOf } from "../harness/thrown.ts";

/** The first to answer. */
const LIAR = 0;
const OLD = new Uint8Array(32).fill(1);
const FRESH = new Uint8Array(32).fill(2);
/** A command begins knowing nothing but the password. */
const old = (): Opener => openerOf(OLD);
const fresh = (): Opener => openerOf(FRESH);

type Asked = { ballot: Ballot; version: Version; accepted: { ballot: Ballot; version: Version } };

/** Four servers with one register each; the liar says of it what `lie` says. */
function servers(lie: (ballot: Ballot) => Register | null) {
  const rows: Register[] = Array.from({ length: 4 }, () => absentRow(0n));
  const answer = (slot: number, kind: string, asked: Asked): unknown => {
    const row = rows[slot] ?? absentRow(0n);
    const told = (slot === LIAR && lie(asked.ballot ?? row.prom)) || row;
    if (kind === "read") return { floor: 0n, register: told, held: [] };
    if (kind === "prepare") {
      const next = prepare(row, 0n, asked.ballot);
      const refused = typeof next === "string" ? next : null;
      const now = (rows[slot] = typeof next === "string" ? row : next);
      const register = slot === LIAR ? told : now;
      return { ok: refused === null, refused, floor: 0n, register, held: [] };
    }
    if (kind === "accept") {
      const next = accept(row, 0n, asked.ballot, asked.version);
      const refused = typeof next === "string" ? next : null;
      const now = (rows[slot] = typeof next === "string" ? row : next);
      return { ok: refused === null, refused, prom: now.prom, floor: 0n };
    }
    const done = commit(row, 0n, asked.accepted);
    if (done && typeof done !== "string") rows[slot] = done.row;
    return { ignored: done === "ignored", refused: null, prom: row.prom, floor: 0n };
  };
  const config = configOf(4);
  const peerOf = (slot: number) => ({
    isDown: false,
    call: async (kind: string, body: Asked) => answer(slot, kind, body),
  });
  const slotOf = (sid: string): number => config.seats.findIndex((seat) => seat.sid === sid);
  const connections = {
    ofSid: (sid: string) => peerOf(slotOf(sid)),
    labelOf: () => "a server",
    arrivals: 0,
    reachSilent: async () => {},
  };
  const warnings: string[] = [];
  const cluster = Cluster.of({
    ports: { clock: bunClock, random: bunRandom },
    connections,
    id: "1".repeat(32),
    config,
    user: "alice",
    warn: (line: string) => warnings.push(line),
  } as never);
  return { cluster, rows, warnings };
}

const memory = () => ({
  location: "here",
  recall: () => null,
  note: () => {},
  keyOf: () => null,
  noteKey: () => {},
});

/** What one computer has seen of the key. */
function computer() {
  let known: KnownKey | null = null;
  return { ...memory(), keyOf: () => known, noteKey: (_: string, key: KnownKey) => (known = key) };
}

const forged = (ballot: Ballot, body: Uint8Array = new Uint8Array(81).fill(1)): Register => {
  const version = versionOf({ vid: "f".repeat(32), body });
  // Accepted, it says, just before the ballot that it promises now.
  return {
    prom: ballot,
    acc: { ballot: ballot - 1n, version },
    com: null,
  };
};

test("a changed password survives a server that says another record was accepted last", async () => {
  let isLying = false;
  const { cluster, rows } = servers((ballot) => (isLying ? forged(ballot) : null));
  const before = (await unlock(cluster, old(), memory())).space.guard?.keys;
  isLying = true;
  await rewrap(cluster, [old()], [fresh()]);
  for (const row of rows.slice(LIAR + 1)) {
    const master = unwrapMaster(
      openingOf(FRESH),
      "alice",
      row.com?.version.body ?? new Uint8Array(),
    );
    expect(keysOf("alice", master ?? new Uint8Array()).fingerprint).toEqual(
      before?.fingerprint as never,
    );
  }
});

test("the first key survives one too", async () => {
  const { cluster, rows } = servers((ballot) => forged(ballot));
  const { guard } = (await unlock(cluster, old(), memory())).space;
  expect<string | null | undefined>(guard?.shown(guard.stored("a"))).toBe("a");
  for (const { com } of rows.slice(LIAR + 1))
    expect(
      unwrapMaster(openingOf(OLD), "alice", com?.version.body ?? new Uint8Array()),
    ).not.toBeNull();
  expect(guard?.stored(KEY_NAME)).not.toBe(KEY_NAME);
});

/** The record of before: the master key of 32 times 3 under the first password. */
const oldRecord = (): Uint8Array => {
  const salt = new Uint8Array(16);
  const nonce = new Uint8Array(12);
  const key = new Uint8Array(hkdfSync("sha256", OLD, salt, "dfs-tool 1 wrap", 32));
  const bound = createHash("sha256").update("dfs-tool 1 wrap\0alice").digest();
  const sealed = gcmSeal(key, nonce, bound, MASTER);
  return concat([new Uint8Array([1, 0, 0, 0, 1]), salt, nonce, sealed]);
};
const MASTER = new Uint8Array(32).fill(3);

/** Puts a record on all servers. */
function place(rows: Register[], body: Uint8Array): void {
  const version = versionOf({ vid: "a".repeat(32), body });
  const accepted = { ballot: 1n << 64n, version };
  for (const slot of rows.keys()) rows[slot] = { prom: 1n << 64n, acc: accepted, com: accepted };
}

const masterIn = (rows: readonly Register[], wrap: Uint8Array): Uint8Array | null =>
  unwrapMaster(openingOf(wrap), "alice", rows[1]?.com?.version.body ?? new Uint8Array());

/** A password of which it is counted how often it is stretched. */
function counted(wrap: Uint8Array): { opener: Opener; costs: Cost[] } {
  const costs: Cost[] = [];
  const secret = secretOf(wrap);
  const stretch = (cost: Cost): Promise<Uint8Array> => (costs.push(cost), secret.stretch(cost));
  return { opener: new Opener({ ...secret, stretch }), costs };
}

describe("a record", () => {
  test("of before opens, and is of the new form once its password is changed", async () => {
    const { cluster, rows } = servers(() => null);
    place(rows, oldRecord());
    const { guard } = (await unlock(cluster, old(), memory())).space;
    expect(guard?.keys).toEqual(keysOf("alice", MASTER));
    expect(rows[1]?.com?.version.body[0]).toBe(1);
    await rejectionOf("login", unlock(cluster, fresh(), memory()));
    await rewrap(cluster, [old()], [old(), fresh()]);
    for (const wrap of [OLD, FRESH]) expect(masterIn(rows, wrap)).toEqual(MASTER);
    await rewrap(cluster, [fresh()], [fresh()]);
    expect([masterIn(rows, OLD), masterIn(rows, FRESH)]).toEqual([null, MASTER]);
    expect(rows[1]?.com?.version.body[0]).toBe(2);
  });

  test("has a salt of its own each time, and costs one stretch to open", async () => {
    const { cluster, rows } = servers(() => null);
    await unlock(cluster, old(), memory());
    const first = costsIn(rows[1]?.com?.version.body ?? new Uint8Array());
    await rewrap(cluster, [old()], [old()]);
    const second = costsIn(rows[1]?.com?.version.body ?? new Uint8Array());
    expect([first.length, second.length]).toEqual([1, 1]);
    expect(first).not.toEqual(second);
    const { opener, costs } = counted(OLD);
    const seen = computer();
    await unlock(cluster, opener, seen);
    expect(costs).toEqual(second);
    // Where it is known it can begin before any server was asked.
    const again = counted(OLD);
    again.opener.begin(seen.keyOf()?.record ?? new Uint8Array());
    expect(again.costs).toEqual(second);
    await unlock(cluster, again.opener, seen);
    expect(again.costs).toEqual(second);
  });

  test("is made once by many that come first at the same time, each with a salt of its own", async () => {
    const { cluster } = servers(() => null);
    const all = await Promise.all(
      Array.from({ length: 6 }, () => unlock(cluster, old(), memory())),
    );
    const prints = all.map(({ space: { guard } }) => guard?.keys.fingerprint.toHex());
    expect(new Set(prints).size).toBe(1);
  });

  test("of another computer that came first too is no lie, though it takes time to open it", async () => {
    const { cluster, rows, warnings } = servers(() => null);
    const unlocked = await unlock(cluster, old(), memory());
    const stretched = (salt: Uint8Array): Promise<Uint8Array> =>
      secretOf(OLD).stretch(costOf(salt));
    const salt = new Uint8Array(16).fill(7);
    const wrap = { cost: costOf(salt), stretched: await stretched(salt) };
    const body = wrapMaster([wrap], "alice", MASTER, new Uint8Array(12));
    const other = { ...forged(2n, body), prom: 2n };
    rows[3] = other;
    expect((await readName(unlocked, KEY_NAME)).replies.size).toBe(4);
    // Nor is it for who logs in with it there.
    rows[3] = other;
    await unlock(cluster, old(), memory());
    expect(warnings).toEqual([]);
  });

  test("that one server makes up costs little, and does not keep anybody from the genuine one", async () => {
    let lies = 0;
    const lie = (): Register => {
      const cost = costOf(new Uint8Array(16).fill(++lies));
      const wraps = [1, 2, 3, 4].map((kib) => ({
        cost: { ...cost, kib: cost.kib - kib },
        stretched: FRESH,
      }));
      const body = wrapMaster(wraps, "alice", MASTER, new Uint8Array(48));
      return forged(2n << 64n, body);
    };
    let isLying = false;
    const { cluster } = servers(() => (isLying ? lie() : null));
    const before = (await unlock(cluster, old(), memory())).space.guard?.keys;
    isLying = true;
    const { opener, costs } = counted(OLD);
    expect((await unlock(cluster, opener, memory())).space.guard?.keys).toEqual(before as never);
    expect(lies).toBeGreaterThan(0);
    expect(costs.length).toBeLessThanOrEqual(STRETCHES_MAX);
  });
});

describe("a key that servers have lost", () => {
  test("comes back from a computer that has seen it", async () => {
    const { cluster, rows } = servers(() => null);
    const seen = computer();
    const before = (await unlock(cluster, old(), seen)).space.guard?.keys;
    rows.fill(absentRow(0n));
    const after = (await unlock(cluster, old(), seen)).space.guard?.keys;
    expect(after?.fingerprint).toEqual(before?.fingerprint as never);
    // And another one finds it again.
    const elsewhere = (await unlock(cluster, old(), memory())).space.guard?.keys;
    expect(elsewhere?.fingerprint).toEqual(before?.fingerprint as never);
  });

  test("is not made anew where the password that it is known by has changed", async () => {
    const { cluster, rows } = servers(() => null);
    const seen = computer();
    await unlock(cluster, old(), seen);
    rows.fill(absentRow(0n));
    const { message } = await rejectionOf("integrity", unlock(cluster, fresh(), seen));
    expect(message).toContain("have lost the key");
    expect(rows.every(({ acc }) => acc === null)).toBe(true);
  });

  test("is no other one that its user has sealed since, unless a login has shown that this password is right", async () => {
    const { cluster, rows } = servers(() => null);
    const seen = computer();
    await unlock(cluster, old(), seen);
    await rewrap(cluster, [old()], [fresh()]);
    await rejectionOf("login", unlock(cluster, old(), seen));
    expect(
      rows.some(({ com }) =>
        unwrapMaster(openingOf(FRESH), "alice", com?.version.body ?? new Uint8Array()),
      ),
    ).toBe(true);
  });
});
