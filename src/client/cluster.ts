/** The servers of a cluster, by slot, those that answer connected; and asking many of them one thing. */
import { assert, DfsError, isDfsError } from "../errors.ts";
import type { Clock, Net, Random } from "../io/ports.ts";
import type { AddressedKind, BodyOf, Config, ReplyOf } from "../wire/messages.ts";
import { type Quorum, quorumOf } from "./decide.ts";
import type { Peer } from "./peer.ts";
import { Window } from "./window.ts";

export interface ClientPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly net: Net;
}

/** Replies by slot. */
export type Replies<K extends AddressedKind> = Map<number, ReplyOf<K>>;

export class Cluster {
  readonly ports: ClientPorts;
  /** Server ids by slot; null where no server was seen yet. */
  readonly config: Config;
  readonly quorum: Quorum;
  readonly window = new Window();
  /** Says a line to the user, once each. */
  readonly warn: (line: string) => void;
  readonly #peers: readonly (Peer | null)[];
  readonly #labels: readonly string[];

  /** `peers` and `labels` (what people call the servers) go by slot. */
  constructor(
    ports: ClientPorts,
    config: Config,
    peers: readonly (Peer | null)[],
    labels: readonly string[],
    warn: (line: string) => void,
  ) {
    assert(
      peers.length === config.slots.length && labels.length === peers.length,
      "one place a slot",
    );
    this.#labels = labels;
    this.ports = ports;
    this.config = config;
    this.quorum = quorumOf(config.slots.length);
    this.#peers = peers;
    const said = new Set<string>();
    this.warn = (line) => {
      if (!said.has(line)) warn(line);
      said.add(line);
    };
  }

  /** How many servers there are: y. */
  get size(): number {
    return this.#peers.length;
  }

  /** The server in a slot, if it can be asked. */
  peer(slot: number): Peer | null {
    const peer = this.#peers[slot];
    return peer && !peer.isDown ? peer : null;
  }

  /** The slots whose servers can be asked. */
  get live(): number[] {
    return this.#peers.flatMap((_, slot) => (this.peer(slot) ? [slot] : []));
  }

  /** The release of the server in a slot, as it says; null where it does not answer. */
  releaseOf(slot: number): string | null {
    return this.peer(slot)?.release ?? null;
  }

  /** What people call the server in a slot. */
  labelOf(slot: number): string {
    return this.#labels[slot] ?? `server ${slot + 1}`;
  }

  /** One request to the server in a slot; throws DfsError("down") when there is none. */
  call<K extends AddressedKind>(slot: number, kind: K, body: BodyOf<K>): Promise<ReplyOf<K>> {
    const peer = this.peer(slot);
    return peer
      ? peer.call(kind, body)
      : Promise.reject(new DfsError("down", `${this.labelOf(slot)} does not answer`));
  }

  /**
   * Asks every live server (null: not this one) and returns what they answered, less those that answered with an error. It
   * ends when all have; or when what has come is worth only so many milliseconds of `patience` more (null: no end of it).
   */
  ask<K extends AddressedKind>(
    kind: K,
    bodyFor: (slot: number) => BodyOf<K> | null,
    patience: (replies: Replies<K>) => number | null,
  ): Promise<Replies<K>> {
    const { clock } = this.ports;
    const replies: Replies<K> = new Map();
    return new Promise((resolve, reject) => {
      let open = 1;
      let until = Infinity;
      let cancel = (): void => {};
      const end = (): void => {
        cancel();
        open = 0;
        resolve(new Map(replies));
      };
      const settle = (): void => {
        if (open === 0) return;
        open--;
        if (open === 0) return end();
        const more = patience(replies);
        if (more === 0) return end();
        if (more === null || clock.now() + more >= until) return;
        cancel();
        until = clock.now() + more;
        cancel = clock.after(more, () => open > 0 && end());
      };
      for (const slot of this.live) {
        const body = bodyFor(slot);
        if (!body) continue;
        open++;
        this.call(slot, kind, body).then(
          (reply) => {
            replies.set(slot, reply);
            settle();
          },
          (error: unknown) => {
            if (!isDfsError(error)) return reject(error);
            this.mention(slot, error);
            settle();
          },
        );
      }
      settle();
    });
  }

  /** That a server is down is said where it matters; what it complains of is worth a line now. */
  mention(slot: number, { code, message }: DfsError): void {
    if (code !== "down") this.warn(`${this.labelOf(slot)}: ${message}`);
  }

  /** Bytes on the wire so far, over all servers. */
  get traffic(): { sent: number; received: number } {
    const sum = { sent: 0, received: 0 };
    for (const peer of this.#peers) {
      sum.sent += peer?.traffic.sent ?? 0;
      sum.received += peer?.traffic.received ?? 0;
    }
    return sum;
  }

  close(): void {
    for (const peer of this.#peers) peer?.close();
  }
}
