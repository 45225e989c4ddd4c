/**
 * A password that opens key records. It is stretched once for each cost that a record says. Used by
 * unlock and by `user passwd`.
 *
 * Records arrive among the answers of servers, where nobody can wait for the stretching. Those that
 * the password may open are set aside, and `learn` tries them later (client/agree/unlock).
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

/** What a password is turned into (io/stretch). */
export interface Secret {
  /** The password stretched with the salt of its user: for records of the first format. */
  readonly wrap: Promise<Uint8Array>;
  /** The password stretched at the cost that a record says. */
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

  /** Starts the stretching that this record needs. */
  begin(record: Uint8Array): void {
    for (const cost of costsIn(record)) this.#stretch(cost)?.catch(() => {});
  }

  /**
   * The master key in a record. null: the password does not open it, or that is not known before
   * `learn`.
   */
  open(user: string, record: Uint8Array): Uint8Array | null {
    const stretched = (cost: Cost): Uint8Array | null => this.#done.get(keyOf(cost)) ?? null;
    const master = unwrapMaster({ wrap: this.#wrap, stretched }, user, record);
    const isOpen = master !== null || costsIn(record).every((cost) => stretched(cost));
    if (!isOpen) this.#setAside(record);
    return master;
  }

  /**
   * Tries the records that were set aside, until one opens. A lying server may show any record, so
   * those that came most often are tried first. true: more is known than before, and records that
   * did not open should be looked at again.
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

  /** A secret to seal a new wrap with: the password stretched with a new salt, at today's cost. */
  async newSecret(random: Random): Promise<WrapSecret> {
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

  /** null: so many different costs were asked for that something must be wrong. */
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
