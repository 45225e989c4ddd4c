/**
 * A server that lies: what it answers is changed on its way to a client, in any way that its keeper could think of. It has seen all that
 * went to it and from it, and plays it back: old records, those of other names and users, bytes of other pieces.
 */
import { DfsError, type ErrorCode } from "../../src/errors.ts";
import type { Net } from "../../src/io/ports.ts";
import { INLINE_BYTES } from "../../src/limits.ts";
import type { Config } from "../../src/membership.ts";
import {
  type Accepted,
  BALLOT_MAX,
  type Register,
  tombstone,
  type Version,
} from "../../src/version.ts";
import type { Kind, ReplyOf } from "../../src/wire/messages.ts";
import type { SentPiece } from "../../src/wire/values.ts";
import { LyingConn } from "./lying_conn.ts";
import type { Rng } from "./random.ts";

const CODES: readonly ErrorCode[] = [
  "failed",
  "noPiece",
  "badPiece",
  "damaged",
  "identity",
  "protocol",
  "noRoom",
  "forbidden",
  "integrity",
  "noSuchName",
];
const KEPT = 300;
type Lie = (told: never) => object;

export class Liar {
  readonly #rng: Rng;
  /** The share of answers that are lies. */
  rate = 0;
  /** Does it also lie about who the servers are? */
  greets = true;
  /** How many lies were told. */
  lies = 0;
  readonly #registers: Register[] = [];
  readonly #versions: Version[] = [];
  readonly #data: Uint8Array[] = [];

  constructor(rng: Rng) {
    this.#rng = rng;
  }

  /** The network as a client has it that meets this liar where `isLiar` says. */
  netOf(net: Net, isLiar: (host: string) => boolean): Net {
    return {
      ...net,
      connect: async (host, port, ms, secure) => {
        const conn = await net.connect(host, port, ms, secure);
        return isLiar(host) ? new LyingConn(conn, this) : conn;
      },
    };
  }

  /** What becomes of an answer; throws the DfsError that is answered instead. */
  answer<K extends Kind>(kind: K, told: ReplyOf<K>): ReplyOf<K> {
    this.#keep(told);
    const lie = this.#lieFor(kind);
    if (!lie || !this.#rng.chance(this.rate)) return told;
    this.lies++;
    if (this.#rng.chance(0.05)) throw new DfsError(this.#rng.pick(CODES), "so it says");
    return lie(told as never) as ReplyOf<K>;
  }

  #keep(told: object): void {
    if ("register" in told) {
      const register = told.register as Register;
      if (register.com?.version.body.length === 0 && !register.com.version.deleted) return;
      keep(this.#registers, register, this.#rng);
      for (const accepted of [register.acc, register.com])
        if (accepted) keep(this.#versions, accepted.version, this.#rng);
    }
    if ("data" in told) keep(this.#data, new Uint8Array(told.data as Uint8Array), this.#rng);
  }

  #lieFor(kind: Kind): Lie | null {
    switch (kind) {
      case "hello":
        return this.greets
          ? (told: ReplyOf<"hello">) => ({ ...told, config: this.#config(told.config) })
          : null;
      case "read":
        return (told: ReplyOf<"read">) => ({
          ...this.#told(told),
          held: this.#held(told.held),
          pieces: told.pieces.map((one) => this.#piece(one)),
        });
      case "prepare":
        return (told: ReplyOf<"prepare">) => ({ ...this.#told(told), ...this.#consent() });
      case "accept":
        return () => ({ ...this.#consent(), prom: this.#ballot(), floor: this.#ballot() });
      case "commit":
        return (told: ReplyOf<"commit">) => ({ ...told, refused: this.#consent().refused });
      case "fetch":
      case "sums":
        return (told: ReplyOf<"fetch">) => ({ data: this.#bytes(told.data) });
      default:
        return null;
    }
  }

  #consent(): Pick<ReplyOf<"accept">, "ok" | "refused"> {
    const refused = this.#rng.pick([null, null, "low", "high"] as const);
    return { ok: refused === null, refused };
  }

  /** It would have itself decide alone, or others be elsewhere. */
  #config(config: Config | null): Config | null {
    if (!config) return null;
    const rng = this.#rng;
    const epoch = config.epoch + rng.pick([0, 1, 2, 1000]);
    const seats = config.seats.map((seat) => ({ ...seat, host: rng.pick([seat.host, "nowhere"]) }));
    switch (rng.int(4)) {
      case 0:
        return { ...config, epoch, voters: [0] };
      case 1:
        return { ...config, epoch, seats };
      case 2:
        return { ...config, epoch, voters: [0], next: null, leaving: [], seats };
      default:
        return { ...config, epoch };
    }
  }

  #told<T extends { floor: bigint; register: Register }>(told: T): T {
    const floor = this.#rng.chance(0.3) ? this.#ballot() : told.floor;
    return { ...told, floor, register: this.#register(told.register) };
  }

  #register(told: Register): Register {
    const { prom } = told;
    const other = (): Register => this.#rng.pick([told, ...this.#registers]);
    switch (this.#rng.int(6)) {
      case 0:
        return other();
      case 1:
        return { prom, acc: null, com: null };
      case 2:
        return this.#both(this.#any(other()));
      case 3:
        return { ...told, acc: this.#any(other()) };
      case 4:
        return { ...told, com: this.#any(other()) };
      default:
        return this.#flipped(told);
    }
  }

  #both = (accepted: Accepted | null): Register => ({
    prom: accepted?.ballot ?? 0n,
    acc: accepted,
    com: accepted,
  });

  /** A value at any ballot: one that was, a tombstone, or one with a field changed. */
  #any({ com, acc }: Register): Accepted | null {
    const real = com ?? acc;
    const version = this.#rng.pick([real?.version, ...this.#versions]);
    if (!version) return null;
    const ballot = this.#rng.chance(0.3) && real ? real.ballot : this.#ballot();
    switch (this.#rng.int(4)) {
      case 0:
        return { ballot, version: this.#changed(version) };
      case 1:
        return {
          ballot,
          version: { ...version, ...tombstone(version.vid), history: version.history },
        };
      default:
        return { ballot, version };
    }
  }

  #changed(version: Version): Version {
    const rng = this.#rng;
    const other = rng.pick([version, ...this.#versions]);
    const changes: Partial<Version>[] = [
      { vid: rng.bytes(16).toHex() },
      { vid: other.vid },
      { seq: rng.int(100) },
      { history: other.history },
      { birthFloor: this.#ballot() },
      { deleted: !version.deleted },
      { pieces: rng.int(65) },
      { needed: rng.int(65) },
      { copies: rng.int(4) },
      { ring: other.ring.map(() => rng.int(6)) },
      { size: rng.int(1_000_000) },
      { body: other.body },
      { body: this.#bytes(version.body) },
    ];
    return { ...version, ...rng.pick(changes) };
  }

  #held(held: ReplyOf<"read">["held"]): ReplyOf<"read">["held"] {
    const rng = this.#rng;
    const all = Array.from({ length: 8 }, (_, piece) => piece);
    switch (rng.int(4)) {
      case 0:
        return [];
      case 1:
        return held.map((one) => ({ ...one, pieces: all, bad: [] }));
      case 2:
        return held.map((one) => ({ ...one, bad: one.pieces, pieces: [] }));
      default:
        return held;
    }
  }

  #piece({ piece, data }: SentPiece): SentPiece {
    return this.#rng.chance(0.5)
      ? { piece, data: this.#bytes(data).slice(0, INLINE_BYTES) }
      : { piece: this.#rng.int(8), data };
  }

  #bytes(bytes: Uint8Array): Uint8Array {
    const rng = this.#rng;
    const copy = new Uint8Array(bytes);
    switch (rng.int(5)) {
      case 0:
        return copy.subarray(0, rng.int(copy.length + 1));
      case 1:
        return copy.fill(0);
      case 2:
        return rng.pick([copy, ...this.#data]);
      default:
        for (let flips = 1 + rng.int(3); flips > 0 && copy.length > 0; flips--) {
          const at = rng.int(copy.length);
          copy[at] = (copy[at] ?? 0) ^ (1 << rng.int(8));
        }
        return copy;
    }
  }

  #flipped(told: Register): Register {
    const { acc, com } = told;
    const flip = (accepted: Accepted | null): Accepted | null =>
      accepted && { ...accepted, version: this.#changed(accepted.version) };
    return { ...told, acc: flip(acc), com: this.#rng.chance(0.5) ? flip(com) : com };
  }

  #ballot(): bigint {
    const bits = BigInt(this.#rng.int(127));
    return ((1n << bits) % (BALLOT_MAX + 1n)) | BigInt(this.#rng.u32());
  }
}

function keep<T>(kept: T[], one: T, rng: Rng): void {
  if (kept.length < KEPT) kept.push(one);
  else kept[rng.int(KEPT)] = one;
}
