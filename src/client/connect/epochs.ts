/**
 * Which configuration a client goes by: it follows newer ones, and meets the servers that decide.
 * Held by Cluster.
 */
import type { Clock } from "../../io/ports.ts";
import { EPOCHS_FOLLOWED, AGAIN_MS } from "../../limits.ts";
import type { Config } from "../../membership.ts";
import { joinBlank } from "./blank.ts";
import type { Connections } from "./connections.ts";
import type { Greeted } from "./greeter.ts";
import { meetServers, warnOfExcluded } from "./meet.ts";
import { type View, viewOf } from "./view.ts";

export class Epochs {
  /** The newest epoch that this client knows of. */
  view: View;
  readonly connections: Connections;
  readonly warn: (line: string) => void;
  readonly #clock: Clock;
  readonly #cluster: string;
  /** How many configurations were adopted since then. */
  #adopted = 0;
  #adoptedSince = -Infinity;
  /** Settles when the servers have been met as often as that was asked for. */
  #met: Promise<void> = Promise.resolve();

  /** `cluster` is its id; `config` was chosen, or is the first one that is being proposed. */
  constructor(
    clock: Clock,
    cluster: string,
    connections: Connections,
    config: Config,
    warn: (line: string) => void,
  ) {
    this.#clock = clock;
    this.#cluster = cluster;
    this.connections = connections;
    this.view = viewOf(config);
    this.warn = warn;
    connections.onLateServer = async (greeted) => {
      await joinBlank(cluster, this.view.config, [greeted]);
      await this.meet();
    };
  }

  /** What people call the server in a slot. */
  labelOf(slot: number): string {
    return this.#labelIn(this.view, slot);
  }

  #labelIn({ config }: View, slot: number): string {
    const seat = config.seats[slot];
    return seat ? this.connections.labelOf(seat) : `server ${slot + 1}`;
  }

  /**
   * Meets the members that answer (meet.ts). A server that was put back, or runs on a copy, does
   * not count from then on.
   */
  meet(): Promise<void> {
    return this.#meetIn(() => this.view);
  }

  /** Meets the members of a view. */
  #meetIn(viewNow: () => View): Promise<void> {
    const met = this.#met.then(async () => {
      const view = viewNow();
      const { connections, warn } = this;
      const before = connections.exclusionChanges;
      await meetServers(connections, this.#cluster, view);
      if (connections.exclusionChanges === before) return;
      warnOfExcluded({ view, connections, warn, labelOf: (slot) => this.#labelIn(view, slot) });
      // What such a server said before does not count either: a new view has all be asked again.
      this.view = { ...this.view };
    });
    this.#met = met.catch(() => {});
    return met;
  }

  /**
   * Goes by this configuration, which was chosen, unless a newer one is known. Connects to the
   * servers that it names.
   */
  async adopt(config: Config): Promise<void> {
    if (config.epoch <= this.view.config.epoch || !this.#mayFollow()) return;
    await this.reach(config, []);
    const next = viewOf(config);
    // Its members are met before anybody can ask them at the new epoch.
    await this.#meetIn(() => next);
    if (config.epoch > this.view.config.epoch) this.view = next;
  }

  #mayFollow(): boolean {
    const now = this.#clock.now();
    if (now - this.#adoptedSince >= AGAIN_MS) {
      this.#adoptedSince = now;
      this.#adopted = 0;
    }
    return ++this.#adopted <= EPOCHS_FOLLOWED;
  }

  /**
   * Connects to the members of a configuration. Those that are still blank join, there and among
   * `greeted`.
   */
  async reach(config: Config, greeted: readonly Greeted[]): Promise<void> {
    const reached = await this.connections.reach(config);
    await joinBlank(this.#cluster, config, [...greeted, ...reached]);
  }
}
