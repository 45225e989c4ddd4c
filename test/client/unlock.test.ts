/** The key of a user's files, with one of four servers that lies about it: it must not have the others take a lie for the key. */
import { describe, expect, test } from "bun:test";
import { type KnownKey, rewrap, unlock } from "../../src/client/unlock.ts";
import { Cluster } from "../../src/client/cluster.ts";
import { keysOf, unwrapMaster } from "../../src/file/keys.ts";
import { KEY_NAME } from "../../src/file/names.ts";
import { bunClock, bunRandom } from "../../src/io/bun.ts";
import { absentRow, accept, commit, prepare } from "../../src/store/acceptor.ts";
import { type Ballot, type Register, tombstone, type Version } from "../../src/version.ts";
import { configOf } from "../arbitraries.ts";
import { rejectionOf } from "../thrown.ts";

/** The first to answer. */
const LIAR = 0;
const old = new Uint8Array(32).fill(1);
const fresh = new Uint8Array(32).fill(2);

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
  const cluster = Cluster.of({
    ports: { clock: bunClock, random: bunRandom },
    connections,
    id: "1".repeat(32),
    config,
    user: "alice",
    warn: () => {},
  } as never);
  return { cluster, rows };
}

const memory = () => ({
  place: "here",
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

const forged = (ballot: Ballot): Register => {
  const body = new Uint8Array(81).fill(1);
  const version = { ...tombstone("f".repeat(32)), deleted: false, seq: 1, history: [], body };
  // Accepted, it says, just before the ballot that it promises now.
  return {
    prom: ballot,
    acc: { ballot: ballot - 1n, version: { ...version, birthFloor: 0n } },
    com: null,
  };
};

test("a changed password survives a server that says another record was accepted last", async () => {
  let isLying = false;
  const { cluster, rows } = servers((ballot) => (isLying ? forged(ballot) : null));
  const before = (await unlock(cluster, old, memory())).guard?.keys;
  isLying = true;
  await rewrap(cluster, [old], [fresh]);
  for (const row of rows.slice(LIAR + 1)) {
    const master = unwrapMaster(fresh, "alice", row.com?.version.body ?? new Uint8Array());
    expect(keysOf("alice", master ?? new Uint8Array()).fingerprint).toEqual(
      before?.fingerprint as never,
    );
  }
});

test("the first key survives one too", async () => {
  const { cluster, rows } = servers(forged);
  const { guard } = await unlock(cluster, old, memory());
  expect(guard?.shown(guard.stored("a"))).toBe("a");
  for (const { com } of rows.slice(LIAR + 1))
    expect(unwrapMaster(old, "alice", com?.version.body ?? new Uint8Array())).not.toBeNull();
  expect(guard?.stored(KEY_NAME)).not.toBe(KEY_NAME);
});

describe("a key that servers have lost", () => {
  test("comes back from a computer that has seen it", async () => {
    const { cluster, rows } = servers(() => null);
    const seen = computer();
    const before = (await unlock(cluster, old, seen)).guard?.keys;
    rows.fill(absentRow(0n));
    const after = (await unlock(cluster, old, seen)).guard?.keys;
    expect(after?.fingerprint).toEqual(before?.fingerprint as never);
    // And another one finds it again.
    const elsewhere = (await unlock(cluster, old, memory())).guard?.keys;
    expect(elsewhere?.fingerprint).toEqual(before?.fingerprint as never);
  });

  test("is not made anew where the password that it is known by has changed", async () => {
    const { cluster, rows } = servers(() => null);
    const seen = computer();
    await unlock(cluster, old, seen);
    rows.fill(absentRow(0n));
    const { message } = await rejectionOf("integrity", unlock(cluster, fresh, seen));
    expect(message).toContain("have lost the key");
    expect(rows.every(({ acc }) => acc === null)).toBe(true);
  });

  test("is no other one that its user has sealed since, unless a login has shown that this password is right", async () => {
    const { cluster, rows } = servers(() => null);
    const seen = computer();
    await unlock(cluster, old, seen);
    await rewrap(cluster, [old], [fresh]);
    await rejectionOf("login", unlock(cluster, old, seen));
    expect(
      rows.some(({ com }) => unwrapMaster(fresh, "alice", com?.version.body ?? new Uint8Array())),
    ).toBe(true);
  });
});
