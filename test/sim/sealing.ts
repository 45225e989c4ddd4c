/** A user with a password in a simulated cluster: what their clients know, on the two computers that they have. */
import type { Cluster } from "../../src/client/connect/cluster.ts";
import type { Seen } from "../../src/client/trust/guard.ts";
import { type KeyMemory, type KnownKey, unlock } from "../../src/client/agree/unlock.ts";
import { openerOf } from "../harness/secret.ts";
import { labelHash, Rng } from "./random.ts";

const SEALED_CHANCE = 0.3;
/** Repair needs no password. */
const KEYLESS_CHANCE = 0.5;

/** A computer's memory, as it would be in a file. */
export function memory(): KeyMemory {
  const seen = new Map<string, Seen>();
  const users = new Map<string, KnownKey>();
  return {
    location: "this computer's memory",
    recall: (key) => seen.get(key) ?? null,
    note: (key, one) => void seen.set(key, one),
    keyOf: (user) => users.get(user) ?? null,
    noteKey: (user, key) => void users.set(user, key),
  };
}

export class Sealing {
  readonly #rng: Rng;
  readonly #secret: Uint8Array;
  readonly #computers = [memory(), memory()];

  private constructor(rng: Rng) {
    this.#rng = rng;
    this.#secret = rng.bytes(32);
  }

  /** null: in this history nobody has a password. Nothing else that the seed draws depends on it. */
  static ofSeed(seed: number): Sealing | null {
    const rng = new Rng(seed, labelHash("sealing"));
    return rng.chance(SEALED_CHANCE) ? new Sealing(rng) : null;
  }

  /** The cluster as this user's client has it. */
  async open(cluster: Cluster, isRepair: boolean): Promise<Cluster> {
    if (isRepair && this.#rng.chance(KEYLESS_CHANCE)) return cluster;
    return unlock(cluster, openerOf(this.#secret), this.#rng.pick(this.#computers));
  }
}
