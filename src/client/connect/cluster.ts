/** The servers of a cluster, by slot, those that answer connected; and asking many of them one thing. */
import { DfsError, isDfsError } from "../../errors.ts";
import { KEY_NAME } from "../../file/names.ts";
import { EPOCHS_FOLLOWED } from "../../limits.ts";
import { type Config, requestIdOf } from "../../membership.ts";
import type { AddressedKind, BodyOf, ReplyOf } from "../../wire/messages.ts";
import { catchUp } from "./catch_up.ts";
import { type Connections } from "./connections.ts";
import { joinBlank } from "./blank.ts";
import type { Greeted } from "./greeter.ts";
import { type Judge, takeAll } from "../trust/judge.ts";
import { Endless } from "./endless.ts";
import { gather } from "./gather.ts";
import { meetServers, warnOfOuts } from "./meet.ts";
import type { Guard } from "../trust/guard.ts";
import type { ClientPorts, Peer } from "./peer.ts";
import { type View, viewOf } from "./view.ts";
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

/** What all that look at one cluster share: the newest epoch that they know of, and whether few servers were asked in vain. */
interface Shared {
  view: View;
  /** How many configurations it went by. */
  followed: number;
  asksAll: boolean;
  /** Settles when the servers have been met so far as that was asked for. */
  met: Promise<void>;
  readonly window: Window;
  readonly endless: Endless;
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
  readonly user: string;
  /** Seals and opens them; null where nothing is sealed, or nobody has the keys. */
  readonly guard: Guard | null;
  /** What of their answers to believe. */
  readonly judge: Judge;
  readonly #shared: Shared;

  private constructor(
    shared: Shared,
    { ports, connections, id, warn, user }: Omit<ClusterFacts, "config">,
    guard: Guard | null,
    judge: Judge = guard?.judge ?? takeAll,
  ) {
    this.judge = judge;
    this.#shared = shared;
    this.window = shared.window;
    this.endless = shared.endless;
    this.ports = ports;
    this.connections = connections;
    this.id = id;
    this.user = user;
    this.guard = guard;
    this.warn = warn;
  }

  /** `config` is one that was chosen, or before there is any the one that is being proposed. */
  static of({ config, warn, ...facts }: ClusterFacts): Cluster {
    const said = new Set<string>();
    const once = (line: string): void => {
      if (!said.has(line)) warn(line);
      said.add(line);
    };
    const cluster = new Cluster(
      {
        view: viewOf(config),
        followed: 0,
        asksAll: false,
        met: Promise.resolve(),
        window: new Window(),
        endless: new Endless(),
      },
      { ...facts, warn: once },
      null,
    );
    facts.connections.welcome = async (greeted) => {
      await joinBlank(cluster.id, cluster.view.config, [greeted]);
      await cluster.meet();
    };
    return cluster;
  }

  /** The same cluster, for the names and files of this user. */
  as(user: string, guard: Guard | null, judge?: Judge, warn = this.warn): Cluster {
    const { ports, connections, id } = this;
    return new Cluster(this.#shared, { ports, connections, id, warn, user }, guard, judge);
  }

  /** What servers know a name by. */
  stored(name: string): string {
    return this.guard ? this.guard.stored(name) : name;
  }

  /** What people call a name that servers know; as servers know it where nobody here can open it. */
  shown(stored: string): string {
    return stored === KEY_NAME ? "(key)" : (this.guard?.shown(stored) ?? stored);
  }

  /** The newest epoch that this client knows of. */
  get view(): View {
    return this.#shared.view;
  }

  /** Were few servers asked what it took more of them to tell? Then all are from now on; see agree/fast_path.ts. */
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
    const seat = this.view.config.seats[slot];
    return seat ? this.connections.labelOf(seat) : `server ${slot + 1}`;
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
      onError: (slot, error) => this.reportError(slot, error),
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
    const of = { cluster: requestIdOf(view.config, this.id), epoch, user: this.user };
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

  /** Meets the members that can be asked (meet.ts): whoever was put back, or runs on a copy, does not count from then on. */
  meet(): Promise<void> {
    this.#shared.met = this.#shared.met.then(async () => {
      const before = this.connections.verdicts;
      await meetServers(this.connections, this.id, this.view);
      if (this.connections.verdicts === before) return;
      warnOfOuts(this);
      // What such a server said before does not count either.
      this.#shared.view = { ...this.view };
    });
    return this.#shared.met;
  }

  /** Goes by this configuration, which was chosen, from now on; unless a newer one is known. Connects to whom it names. */
  async adopt(config: Config): Promise<void> {
    if (config.epoch <= this.view.config.epoch || this.#shared.followed >= EPOCHS_FOLLOWED) return;
    this.#shared.followed++;
    await this.reach(config, []);
    if (config.epoch > this.view.config.epoch) this.#shared.view = viewOf(config);
    await this.meet();
  }

  /** Connects to the members of a configuration; has those that are still blank join, there and among `greeted`. */
  async reach(config: Config, greeted: readonly Greeted[]): Promise<void> {
    const reached = await this.connections.reach(config);
    await joinBlank(this.id, config, [...greeted, ...reached]);
  }

  /** That a server is down is said where it matters; what it complains of is worth a line now. */
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
