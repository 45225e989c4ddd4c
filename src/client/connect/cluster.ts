/** The servers of a cluster by slot, and one question to all of them. Used by all later rooms. */
import { DfsError, isDfsError } from "../../errors.ts";
import { type Config, requestIdOf } from "../../membership.ts";
import type { AddressedKind, BodyOf, ReplyOf } from "../../wire/messages.ts";
import type { Taker } from "../../wire/arriving_data.ts";
import { ASK_ALL_MS } from "../../limits.ts";
import { canRead } from "../../quorum.ts";
import { catchUp } from "./catch_up.ts";
import { type Connections } from "./connections.ts";
import { Endless } from "../trust/endless.ts";
import { gather } from "./gather.ts";
import { Space } from "../trust/space.ts";
import type { ClientPorts, Peer } from "./peer.ts";
import { Epochs } from "./epochs.ts";
import { checkGoesOn, orInterrupted } from "./living/interruption.ts";
import { seldom } from "./living/seldom.ts";
import type { View } from "./view.ts";
import { Window } from "./window.ts";

/** Replies by slot. */
export type Replies<K extends AddressedKind> = Map<number, ReplyOf<K>>;

/** What a Cluster is made from. */
export interface ClusterFacts {
  readonly ports: ClientPorts;
  readonly connections: Connections;
  readonly id: string;
  readonly config: Config;
  readonly user: string;
  readonly warn: (line: string) => void;
}

/** The replies, and the view under which all of them were given: their meaning depends on it. */
export interface Round<K extends AddressedKind> {
  readonly replies: Replies<K>;
  readonly view: View;
}

const CATCH_UPS = 3;

/** State that all Cluster objects of one cluster share: `in` and `during` make several. */
interface Shared {
  readonly epochs: Epochs;
  readonly window: Window;
  readonly endless: Endless;
  /** Until when all servers are asked, because few were asked in vain. */
  asksAllUntil: number;
}

export class Cluster {
  readonly ports: ClientPorts;
  /** The id that the first client made from its list of servers. Joining servers are given it. */
  readonly id: string;
  readonly connections: Connections;
  readonly window: Window;
  /** Knows the servers whose lists are not believed any more. */
  readonly endless: Endless;
  /** Gives a line to the user; the same line again only after some minutes. */
  readonly warn: (line: string) => void;
  /** Whose names and files. */
  readonly space: Space;
  /** Ends what is done through this object once it is aborted; null: nothing does. */
  readonly signal: AbortSignal | null;
  readonly #shared: Shared;

  private constructor(
    shared: Shared,
    { ports, connections, id, warn }: Omit<ClusterFacts, "config" | "user">,
    space: Space,
    signal: AbortSignal | null,
  ) {
    this.#shared = shared;
    this.signal = signal;
    this.window = signal ? shared.window.during(signal) : shared.window;
    this.endless = shared.endless;
    this.ports = ports;
    this.connections = connections;
    this.id = id;
    this.warn = warn;
    this.space = space;
  }

  /** `config` was chosen; or, before any was chosen, it is the one that is being proposed. */
  static of({ config, user, warn, ...facts }: ClusterFacts): Cluster {
    const { ports, id, connections } = facts;
    const warnSeldom = seldom(ports.clock, warn);
    const shared = {
      epochs: new Epochs(ports.clock, id, connections, config, warnSeldom),
      window: new Window(),
      endless: new Endless(ports.clock),
      asksAllUntil: -Infinity,
    };
    return new Cluster(shared, { ...facts, warn: warnSeldom }, new Space(user), null);
  }

  /** The same cluster, for the names and files of this space. */
  in(space: Space, warn = this.warn): Cluster {
    return new Cluster(this.#shared, { ...this.#facts, warn }, space, this.signal);
  }

  /**
   * The same cluster, for work that ends once the signal is aborted: it throws
   * DfsError("interrupted") wherever it waits for servers, for room or for time. What was asked by
   * then may still happen. So the outcome of a write is open, as after DfsError("open"): some
   * servers may have accepted its version. The next read of the name settles that, and repair
   * collects what is left. Servers drop the pieces that were not sent to their end.
   */
  during(signal: AbortSignal): Cluster {
    return new Cluster(this.#shared, this.#facts, this.space, signal);
  }

  get #facts(): Omit<ClusterFacts, "config" | "user"> {
    const { ports, connections, id, warn } = this;
    return { ports, connections, id, warn };
  }

  /** The configurations that this client goes by, and the servers that it meets under them. */
  get epochs(): Epochs {
    return this.#shared.epochs;
  }

  /** The newest epoch that this client knows of. */
  get view(): View {
    return this.#shared.epochs.view;
  }

  /** Did the fast path fail a moment ago? Then all servers are asked (agree/fast_path.ts). */
  get asksAll(): boolean {
    return this.ports.clock.now() < this.#shared.asksAllUntil;
  }

  /** Has all servers be asked for some time. */
  askAllForNow(): void {
    this.#shared.asksAllUntil = this.ports.clock.now() + ASK_ALL_MS;
  }

  /** The server in a slot, if it can be asked. A former member can still be read from. */
  peer(slot: number): Peer | null {
    const sid = this.view.config.seats[slot]?.sid ?? null;
    return sid === null ? null : /* rule: servers-by-id */ this.connections.ofSid(sid);
  }

  /** The slots of the members that can be asked. */
  get live(): number[] {
    return this.view.members.filter((slot) => this.peer(slot));
  }

  /** The members that cannot be asked. */
  get silent(): number[] {
    return this.view.members.filter((slot) => !this.peer(slot));
  }

  /** How many servers that were silent, or lost, have answered since. */
  get arrivals(): number {
    return this.connections.arrivals;
  }

  /**
   * Gives silent servers another chance before a command gives up for want of servers. They are
   * tried again until `isEnough()`, or for some seconds. Returns at once where it is enough
   * already, or where every server that does not answer is known to be down, and was a moment ago.
   */
  async reachSilent(isEnough: () => boolean): Promise<void> {
    await this.#comeBack(isEnough);
    await orInterrupted(this.connections.reachSilent(isEnough), this.signal);
  }

  /** Has members that are down tried again, and waits for them where it is not enough without. */
  async #comeBack(isEnough: () => boolean): Promise<void> {
    checkGoesOn(this.signal);
    const { silent } = this;
    if (silent.length === 0) return;
    const seats = silent.flatMap((slot) => this.view.config.seats[slot] ?? []);
    await orInterrupted(this.connections.comeBack(seats, isEnough), this.signal);
  }

  /** The release that the server in a slot says it is; null where it does not answer. */
  releaseOf(slot: number): string | null {
    return this.peer(slot)?.release ?? null;
  }

  /** The name of the server in a slot, for people. */
  labelOf(slot: number): string {
    return this.#shared.epochs.labelOf(slot);
  }

  /** Sends one request to the server in a slot. Throws DfsError("down") when it cannot be asked. */
  call<K extends AddressedKind>(slot: number, kind: K, body: BodyOf<K>): Promise<ReplyOf<K>> {
    return this.#callAt(this.view, slot, kind, body);
  }

  /**
   * Has a server drop a piece that was not sent to its end. Waits for nothing, nor for a signal.
   */
  giveUpUpload(
    slot: number,
    piece: Pick<BodyOf<"upload">, "name" | "vid" | "cid" | "piece" | "size">,
  ) {
    const body = { ...piece, offset: 0, root: null, data: new Uint8Array() };
    const peer = this.peer(slot);
    if (peer) peer.call("upload", body, this.#addressAt(this.view)).catch(() => {});
  }

  /** What each request of this object is addressed to. */
  #addressAt({ config }: View): { cluster: string; epoch: number; user: string } {
    const { epoch } = config;
    return { cluster: requestIdOf(config, this.id), epoch, user: this.space.user };
  }

  /**
   * Fetches bytes of a piece. `take` gets them as they come: nobody has checked them, and they may
   * be more or fewer than asked. Throws as `call`.
   */
  async fetch(slot: number, part: BodyOf<"fetch">, take: Taker): Promise<void> {
    await this.#callAt(this.view, slot, "fetch", part, take);
  }

  /**
   * Asks every live member, except those for which `bodyFor` is null, and returns the answers that
   * are no errors. It ends when all have answered. `patience` says for how many more milliseconds
   * it is worth waiting, given the answers so far (null: without end). Where a server turns out to
   * be at a later epoch, all are asked again at that epoch. With `epoch`, nobody is asked, and no
   * reply counts, once the epoch is another one. Members that are down are tried again first, if it
   * is time; they are waited for only where the others are too few to read.
   */
  async ask<K extends AddressedKind>(
    kind: K,
    bodyFor: (slot: number) => BodyOf<K> | null,
    patience: (replies: Replies<K>, view: View) => number | null,
    epoch?: number,
  ): Promise<Round<K>> {
    for (;;) {
      await this.#comeBack(() => canRead(this.view.quorum, this.live));
      const view = this.view;
      if (epoch !== undefined && view.config.epoch !== epoch) return { replies: new Map(), view };
      const round = this.#round(view, kind, bodyFor, patience);
      const replies = await orInterrupted(round, this.signal);
      if (view === this.view) return { replies, view };
    }
  }

  #round<K extends AddressedKind>(
    view: View,
    kind: K,
    bodyFor: (slot: number) => BodyOf<K> | null,
    patience: (replies: Replies<K>, view: View) => number | null,
  ): Promise<Replies<K>> {
    const calls = this.live.flatMap((slot) => {
      const body = bodyFor(slot);
      return body ? [[slot, this.#callAt(view, slot, kind, body)] as const] : [];
    });
    return gather(this.ports.clock, calls, {
      patience: (replies) => patience(replies, view),
      isMoot: () => this.view !== view,
      onError: (slot, error) => this.reportError(slot, error),
    });
  }

  /**
   * Meets a server that must be met, and brings one that is behind to our epoch, and asks again.
   * Where the server leads this client to a new view, the call fails.
   */
  async #callAt<K extends AddressedKind>(
    view: View,
    slot: number,
    kind: K,
    body: BodyOf<K>,
    take?: Taker,
  ): Promise<ReplyOf<K>> {
    const of = this.#addressAt(view);
    for (let tries = 1; ; tries++) {
      checkGoesOn(this.signal);
      const peer = this.peer(slot);
      if (!peer) throw new DfsError("down", `${this.labelOf(slot)} does not answer`);
      try {
        return await peer.call(kind, body, of, { take, signal: this.signal });
      } catch (error) {
        if (!isDfsError(error, "epoch", "lives") || tries === CATCH_UPS) throw error;
        await catchUp(this, peer, error.code);
        if (this.view !== view) throw error;
      }
    }
  }

  /** Warns of an error that a server answered with, unless the error is handled elsewhere. */
  reportError(slot: number, { code, message }: DfsError): void {
    if (!["down", "epoch", "lives", "forbidden"].includes(code))
      this.warn(`${this.labelOf(slot)}: ${message}`);
  }

  /** Bytes on the wire so far, over all servers. */
  get traffic(): { sent: number; received: number } {
    return this.connections.traffic;
  }

  close(): void {
    this.connections.close();
  }
}
