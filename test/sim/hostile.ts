/**
 * Numbers and versions that mean harm: a client that takes the highest ballots it is given, forgets what it promised, and makes up versions;
 * and a server that says it has promised what nobody can go above. Its values are genuine, for it is others whom it would keep from theirs.
 */
import type { Cluster } from "../../src/client/connect/cluster.ts";
import { isDfsError } from "../../src/errors.ts";
import type { Net } from "../../src/io/ports.ts";
import {
  type Ballot,
  BALLOT_MAX,
  boundOf,
  childOf,
  tombstone,
  type Version,
} from "../../src/version.ts";
import type { Kind, ReplyOf } from "../../src/wire/messages.ts";
import { Violation } from "./invariants.ts";
import { LyingConn } from "./lying_conn.ts";
import { labelHash, Rng } from "./random.ts";
import { inStore, named } from "../harness/named.ts";

const HOSTILE_CHANCE = 0.25;
const JUMP_CHANCE = 0.2;
const STEPS_MAX = 40;

/** A history in which somebody means harm. */
export class Hostile {
  readonly #rng: Rng;
  readonly #liar: string | null;
  /** Does its server lie now? */
  lies = true;

  private constructor(rng: Rng, liar: string | null) {
    this.#rng = rng;
    this.#liar = liar;
  }

  /** null: nobody does. Nothing else that the seed draws depends on it. `servers`: of whom one may lie. */
  static ofSeed(seed: number, servers: readonly { readonly name: string }[]): Hostile | null {
    const rng = new Rng(seed, labelHash("hostile"));
    if (!rng.chance(HOSTILE_CHANCE)) return null;
    return new Hostile(rng, servers.length > 2 && rng.chance(0.5) ? rng.pick(servers).name : null);
  }

  /** With a server that lies, or none. */
  static of(seed: number, liar: string | null): Hostile {
    return new Hostile(new Rng(seed, labelHash("hostile")), liar);
  }

  get hasLiar(): boolean {
    return this.#liar !== null;
  }

  /** Is it somebody who means harm that comes next? One of both, a server or a user, is what can be withstood. */
  get jumps(): boolean {
    return !this.hasLiar && this.#rng.chance(JUMP_CHANCE);
  }

  get steps(): number {
    return this.#rng.int(STEPS_MAX);
  }

  /** The network as a client has it. */
  netOf(net: Net): Net {
    if (this.#liar === null) return net;
    return {
      ...net,
      connect: async (host, port, ms, secure) => {
        const conn = await net.connect(host, port, ms, secure);
        return host === this.#liar ? new LyingConn(conn, this) : conn;
      },
    };
  }

  answer<K extends Kind>(kind: K, told: ReplyOf<K>): ReplyOf<K> {
    if (!this.lies || this.#rng.chance(0.2)) return told;
    return { ...told, ...this.#lie(kind, told) };
  }

  #lie(kind: Kind, told: object): object {
    const far = BALLOT_MAX - (BigInt(this.#rng.int(4)) << 64n);
    const low = { ok: false, refused: "low", prom: far, floor: far };
    const high = { ok: false, refused: "high", prom: 0n, floor: 0n };
    switch (kind) {
      case "accept":
        return this.#rng.pick([low, high]);
      case "commit":
        return this.#rng.pick([{}, { refused: "high", prom: 0n, floor: 0n }]);
      case "prepare":
      case "read": {
        const { register } = told as ReplyOf<"read">;
        const promised = { register: { ...register, prom: far } };
        if (kind === "read") return promised;
        return this.#rng.pick([{ ...low, ...promised }, { ...high }, { floor: far }]);
      }
      case "floors":
        return { everywhere: far, floors: [{ user: null, floor: far }], done: true };
      default:
        return {};
    }
  }
}

/** Leads servers as far up as they go in so many steps, each server or not as chance has it. Throws a Violation where one goes too far. */
export async function jump(cluster: Cluster, name: string, steps: number): Promise<void> {
  const { random } = cluster.ports;
  for (const slot of cluster.live) {
    if (random.fraction() < 0.3) continue;
    try {
      await jumpAt(cluster, slot, cluster.space.stored(named(name)), steps);
    } catch (error) {
      if (!isDfsError(error)) throw error;
    }
  }
}

async function jumpAt(cluster: Cluster, slot: number, name: string, steps: number): Promise<void> {
  const vid = cluster.ports.random.bytes(16).toHex();
  const prepare = (ballot: Ballot) =>
    cluster.call(slot, "prepare", { name: inStore(name), ballot, vid, link: null, inline: [] });
  let told = await prepare(BALLOT_MAX);
  if (told.ok) throw new Violation(`${cluster.labelOf(slot)} promised the highest ballot there is`);
  for (let step = 0; step < steps; step++)
    told = await prepare(boundOf(told.register.prom, told.floor));
  await takesNone(cluster, slot, name, boundOf(told.register.prom, told.floor));
  await cluster.call(slot, "forget", { name: inStore(name), ballot: BALLOT_MAX });
}

/** No server takes a version that could not have been put. */
async function takesNone(
  cluster: Cluster,
  slot: number,
  name: string,
  ballot: Ballot,
): Promise<void> {
  for (const version of madeUp(cluster.ports.random.bytes(16).toHex()))
    try {
      const { ok } = await cluster.call(slot, "accept", { name: inStore(name), ballot, version });
      if (ok) throw new Violation(`${cluster.labelOf(slot)} took a version that nobody can put`);
    } catch (error) {
      if (!isDfsError(error, "protocol")) throw error;
    }
}

const madeUp = (vid: string): Version[] => {
  const none = childOf(
    { parent: null, floor: 0n, now: 0, last: 0 },
    { ...tombstone(vid), deleted: false, body: new Uint8Array(8) },
  );
  return [
    { ...none, pieces: 255, needed: 3, copies: 2, ring: [0, 1, 2] },
    { ...none, pieces: 1, needed: 1, copies: 1, ring: [0], size: 2 ** 53 - 1 },
    { ...none, size: 9 },
    { ...none, deleted: true, pieces: 1, needed: 1, copies: 1, ring: [0] },
  ];
};
