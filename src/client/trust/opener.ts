/**
 * A password that opens key records: it is stretched at the cost that each of them says, once. Records come where nobody can wait for
 * that, among the answers of servers; those that it may open are set aside, and tried when there is time (client/agree/unlock).
 */
import {
  costOf,
  costsIn,
  type Cost,
  SALT_BYTES,
  unwrapMaster,
  type WrapSecret,
} from "../../file/keys.ts";
import type { Random } from "../../io/ports.ts";
import { STRETCHES_MAX } from "../../limits.ts";

/** What a password comes to (io/stretch). */
export interface Secret {
  /** With the salt of its user: for records of the first format. */
  readonly wrap: Promise<Uint8Array>;
  /** At the cost that a record says. */
  stretch(cost: Cost): Promise<Uint8Array>;
}

interface SetAside {
  readonly record: Uint8Array;
  /** How often it came. */
  times: number;
}

export class Opener {
  readonly #secret: Secret;
  readonly #begun = new Map<string, Promise<Uint8Array>>();
  readonly #done = new Map<string, Uint8Array>();
  readonly #aside = new Map<string, SetAside>();
  #wrap = new Uint8Array();

  constructor(secret: Secret) {
    this.#secret = secret;
  }

  /** Begins with what it takes to open this record. */
  begin(record: Uint8Array): void {
    for (const cost of costsIn(record)) this.#stretch(cost)?.catch(() => {});
  }

  /** The master key in a record; null where the password does not open it, or that is not known before `learn`. */
  open(user: string, record: Uint8Array): Uint8Array | null {
    const stretched = (cost: Cost): Uint8Array | null => this.#done.get(keyOf(cost)) ?? null;
    const master = unwrapMaster({ wrap: this.#wrap, stretched }, user, record);
    const isOpen = master !== null || costsIn(record).every((cost) => stretched(cost));
    if (!isOpen) this.#setAside(record);
    return master;
  }

  /**
   * Tries what was set aside: what most servers show first, until one opens, for a server that lies may show any. True: more is known
   * than before, and what did not open should be looked at again.
   */
  async learn(user: string): Promise<boolean> {
    this.#wrap = new Uint8Array(await this.#secret.wrap);
    const records = [...this.#aside.values()].toSorted((a, b) => b.times - a.times);
    this.#aside.clear();
    let hasLearned = false;
    for (const { record } of records)
      for (const cost of costsIn(record)) {
        const key = keyOf(cost);
        if (this.#done.has(key)) continue;
        const stretched = await this.#stretch(cost);
        if (!stretched) continue;
        this.#done.set(key, stretched);
        hasLearned = true;
        if (this.open(user, record)) return true;
      }
    return hasLearned;
  }

  /** What a new wrap is sealed with: a salt of its own, at the cost of today. */
  async fresh(random: Random): Promise<WrapSecret> {
    const cost = costOf(random.bytes(SALT_BYTES));
    const stretched = await this.#secret.stretch(cost);
    this.#done.set(keyOf(cost), stretched);
    return { cost, stretched };
  }

  #setAside(record: Uint8Array): void {
    const key = record.toHex();
    const known = this.#aside.get(key) ?? { record, times: 0 };
    known.times++;
    this.#aside.set(key, known);
  }

  /** null: it was done so often that something must be wrong. */
  #stretch(cost: Cost): Promise<Uint8Array> | null {
    const key = keyOf(cost);
    const begun = this.#begun.get(key);
    if (begun) return begun;
    if (this.#begun.size >= STRETCHES_MAX) return null;
    const mine = this.#secret.stretch(cost);
    this.#begun.set(key, mine);
    return mine;
  }
}

const keyOf = ({ kib, passes, lanes, salt }: Cost): string =>
  `${kib} ${passes} ${lanes} ${salt.toHex()}`;
