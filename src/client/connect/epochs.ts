/**
 * Which configuration a client goes by: it follows newer ones, and meets the servers that decide.
 * Held by Cluster.
 */
import { EPOCHS_FOLLOWED } from "../../limits.ts";
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
  readonly #cluster: string;
  /** How many configurations were adopted so far. */
  #adopted = 0;
  /** Settles when the servers have been met as often as that was asked for. */
  #met: Promise<void> = Promise.resolve();

  /** `cluster` is its id; `config` was chosen, or is the first one that is being proposed. */
  constructor(
    cluster: string,
    connections: Connections,
    config: Config,
    warn: (line: string) => void,
  ) {
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
    const seat = this.view.config.seats[slot];
    return seat ? this.connections.labelOf(seat) : `server ${slot + 1}`;
  }

  /**
   * Meets the members that answer (meet.ts). A server that was put back, or runs on a copy, does
   * not count from then on.
   */
  meet(): Promise<void> {
    this.#met = this.#met.then(async () => {
      const before = this.connections.exclusionChanges;
      await meetServers(this.connections, this.#cluster, this.view);
      if (this.connections.exclusionChanges === before) return;
      warnOfExcluded(this);
      // What such a server said before does not count either: a new view has all be asked again.
      this.view = { ...this.view };
    });
    return this.#met;
  }

  /**
   * Goes by this configuration, which was chosen, unless a newer one is known. Connects to the
   * servers that it names.
   */
  async adopt(config: Config): Promise<void> {
    if (config.epoch <= this.view.config.epoch || this.#adopted >= EPOCHS_FOLLOWED) return;
    this.#adopted++;
    await this.reach(config, []);
    if (config.epoch > this.view.config.epoch) this.view = viewOf(config);
    await this.meet();
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
