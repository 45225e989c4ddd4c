/** The servers of a cluster by slot, and one question to all of them. Used by all later rooms. */
import { DfsError, isDfsError } from "../../errors.ts";
import { type Config, requestIdOf } from "../../membership.ts";
import type { AddressedKind, BodyOf, ReplyOf } from "../../wire/messages.ts";
import type { Taker } from "../../wire/arriving_data.ts";
import { catchUp } from "./catch_up.ts";
import { type Connections } from "./connections.ts";
import type { Greeted } from "./greeter.ts";
import { Endless } from "../trust/endless.ts";
import { gather } from "./gather.ts";
import { Space } from "../trust/space.ts";
import type { ClientPorts, Peer } from "./peer.ts";
import { Epochs } from "./epochs.ts";
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

/** State that all Cluster objects of one cluster share: `in` makes several. */
interface Shared {
  readonly epochs: Epochs;
  readonly window: Window;
  readonly endless: Endless;
  /** Were few servers asked in vain? */
  asksAll: boolean;
}

export class Cluster {
  readonly ports: ClientPorts;
  /** The id that the first client made from its list of servers. Joining servers are given it. */
  readonly id: string;
  readonly connections: Connections;
  readonly window: Window;
  /** Knows the servers whose lists are not believed any more. */
  readonly endless: Endless;
  /** Gives a line to the user, each line once. */
  readonly warn: (line: string) => void;
  /** Whose names and files. */
  readonly space: Space;
  readonly #shared: Shared;

  private constructor(
    shared: Shared,
    { ports, connections, id, warn }: Omit<ClusterFacts, "config" | "user">,
    space: Space,
  ) {
    this.#shared = shared;
    this.window = shared.window;
    this.endless = shared.endless;
    this.ports = ports;
    this.connections = connections;
    this.id = id;
    this.warn = warn;
    this.space = space;
  }

  /** `config` was chosen; or, before any was chosen, it is the one that is being proposed. */
  static of({ config, user, warn, ...facts }: ClusterFacts): Cluster {
    const said = new Set<string>();
    const warnOnce = (line: string): void => {
      if (!said.has(line)) warn(line);
      said.add(line);
    };
    const { id, connections } = facts;
    const shared = {
      epochs: new Epochs(id, connections, config, warnOnce),
      window: new Window(),
      endless: new Endless(),
      asksAll: false,
    };
    return new Cluster(shared, { ...facts, warn: warnOnce }, new Space(user));
  }

  /** The same cluster, for the names and files of this space. */
  in(space: Space, warn = this.warn): Cluster {
    const { ports, connections, id } = this;
    return new Cluster(this.#shared, { ports, connections, id, warn }, space);
  }

  /** The newest epoch that this client knows of. */
  get view(): View {
    return this.#shared.epochs.view;
  }

  /** Did the fast path fail before? Then all servers are asked from now on (agree/fast_path.ts). */
  get asksAll(): boolean {
    return this.#shared.asksAll;
  }

  set asksAll(value: boolean) {
    this.#shared.asksAll = value;
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

  /** How many servers that were silent at first have answered since. */
  get arrivals(): number {
    return this.connections.arrivals;
  }

  /**
   * Gives silent servers another chance before a command gives up for want of servers. They are
   * tried again until `isEnough()`, or for some seconds. Returns at once where it is enough
   * already, or where every server that does not answer is known to be down.
   */
  reachSilent(isEnough: () => boolean): Promise<void> {
    return this.connections.reachSilent(isEnough);
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
   * reply counts, once the epoch is another one.
   */
  async ask<K extends AddressedKind>(
    kind: K,
    bodyFor: (slot: number) => BodyOf<K> | null,
    patience: (replies: Replies<K>, view: View) => number | null,
    epoch?: number,
  ): Promise<Round<K>> {
    for (;;) {
      const view = this.view;
      if (epoch !== undefined && view.config.epoch !== epoch) return { replies: new Map(), view };
      const replies = await this.#round(view, kind, bodyFor, patience);
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
    const { epoch } = view.config;
    const of = { cluster: requestIdOf(view.config, this.id), epoch, user: this.space.user };
    for (let tries = 1; ; tries++) {
      const peer = this.peer(slot);
      if (!peer) throw new DfsError("down", `${this.labelOf(slot)} does not answer`);
      try {
        return await peer.call(kind, body, of, take);
      } catch (error) {
        if (!isDfsError(error, "epoch", "lives") || tries === CATCH_UPS) throw error;
        await catchUp(this, peer, error.code);
        if (this.view !== view) throw error;
      }
    }
  }

  /**
   * Meets the members that can be asked (meet.ts). A server that was put back, or that runs on a
   * copy of its folder, does not count from then on.
   */
  meet(): Promise<void> {
    return this.#shared.epochs.meet();
  }

  /** As Epochs has it. */
  adopt(config: Config): Promise<void> {
    return this.#shared.epochs.adopt(config);
  }

  /** As Epochs has it. */
  reach(config: Config, greeted: readonly Greeted[]): Promise<void> {
    return this.#shared.epochs.reach(config, greeted);
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
