/** The servers of a cluster, by slot, those that answer connected; and asking many of them one thing. */
import { DfsError, isDfsError } from "../../errors.ts";
import { type Config, requestIdOf } from "../../membership.ts";
import type { AddressedKind, BodyOf, ReplyOf } from "../../wire/messages.ts";
import { catchUp } from "./catch_up.ts";
import { type Connections } from "./connections.ts";
import type { Greeted } from "./greeter.ts";
import { Endless } from "./endless.ts";
import { gather } from "./gather.ts";
import { Space } from "../trust/space.ts";
import type { ClientPorts, Peer } from "./peer.ts";
import { Epochs } from "./epochs.ts";
import type { View } from "./view.ts";
import { Window } from "./window.ts";

/** Replies by slot. */
export type Replies<K extends AddressedKind> = Map<number, ReplyOf<K>>;

/** What a cluster is made of. */
export interface ClusterFacts {
  readonly ports: ClientPorts;
  readonly connections: Connections;
  readonly id: string;
  readonly config: Config;
  readonly user: string;
  readonly warn: (line: string) => void;
}

/** What was answered, and the epoch at which all of it was: what the answers are worth goes by that one. */
export interface Round<K extends AddressedKind> {
  readonly replies: Replies<K>;
  readonly view: View;
}

const CATCH_UPS = 3;

/** What all that look at one cluster share. */
interface Shared {
  readonly epochs: Epochs;
  readonly window: Window;
  readonly endless: Endless;
  /** Were few servers asked in vain? */
  asksAll: boolean;
}

export class Cluster {
  readonly ports: ClientPorts;
  /** What the first client made of its list of servers: what a server joins. */
  readonly id: string;
  readonly connections: Connections;
  readonly window: Window;
  /** Whose lists to believe no longer. */
  readonly endless: Endless;
  /** Says a line to the user, once each. */
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

  /** `config` is one that was chosen, or before there is any the one that is being proposed. */
  static of({ config, user, warn, ...facts }: ClusterFacts): Cluster {
    const said = new Set<string>();
    const once = (line: string): void => {
      if (!said.has(line)) warn(line);
      said.add(line);
    };
    const { id, connections } = facts;
    const shared = {
      epochs: new Epochs(id, connections, config, once),
      window: new Window(),
      endless: new Endless(),
      asksAll: false,
    };
    return new Cluster(shared, { ...facts, warn: once }, new Space(user));
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

  /** Were few servers asked what it took more of them to tell? Then all are from now on; see brief.ts. */
  get asksAll(): boolean {
    return this.#shared.asksAll;
  }

  set asksAll(so: boolean) {
    this.#shared.asksAll = so;
  }

  /** The server in a slot, if it can be asked; one that is no member any more may still be read from. */
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
   * Before giving up for want of servers: those that were silent at first are tried again, until it is `isEnough` or some seconds are
   * over. It costs nothing where it is enough, or where all that do not answer are known to be down.
   */
  reachSilent(isEnough: () => boolean): Promise<void> {
    return this.connections.reachSilent(isEnough);
  }

  /** The release of the server in a slot, as it says; null where it does not answer. */
  releaseOf(slot: number): string | null {
    return this.peer(slot)?.release ?? null;
  }

  /** What people call the server in a slot. */
  labelOf(slot: number): string {
    return this.#shared.epochs.labelOf(slot);
  }

  /** One request to the server in a slot; throws DfsError("down") when there is none. */
  call<K extends AddressedKind>(slot: number, kind: K, body: BodyOf<K>): Promise<ReplyOf<K>> {
    return this.#callAt(this.view, slot, kind, body);
  }

  /**
   * Asks every live member (null: not this one) and returns what they answered, less those that answered with an error. It
   * ends when all have; or when what has come is worth only so many milliseconds of `patience` more (null: no end of it).
   * Where a server turns out to be at a later epoch all are asked anew, at that one; with `epoch` nobody is, and no reply
   * counts, unless it is still that one.
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
      onError: (slot, error) => this.mention(slot, error),
    });
  }

  /** A server that must be met again is; one at another epoch is brought to ours, or we to its; in that case the call has failed. */
  async #callAt<K extends AddressedKind>(
    view: View,
    slot: number,
    kind: K,
    body: BodyOf<K>,
  ): Promise<ReplyOf<K>> {
    const { epoch } = view.config;
    const of = { cluster: requestIdOf(view.config, this.id), epoch, user: this.space.user };
    for (let tries = 1; ; tries++) {
      const peer = this.peer(slot);
      if (!peer) throw new DfsError("down", `${this.labelOf(slot)} does not answer`);
      try {
        return await peer.call(kind, body, of);
      } catch (error) {
        if (!isDfsError(error, "epoch", "lives") || tries === CATCH_UPS) throw error;
        await catchUp(this, peer, error.code);
        if (this.view !== view) throw error;
      }
    }
  }

  /** As Epochs has it. */
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

  /** That a server is down is said where it matters; what it complains of is worth a line now. */
  mention(slot: number, { code, message }: DfsError): void {
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
