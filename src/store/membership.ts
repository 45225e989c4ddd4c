/**
 * Which cluster a server belongs to, for ever; and which of its configurations is in force here. It
 * keeps requests of different epochs apart. Used by store.ts, and by the server for each request.
 */
import { decode, encode, optional, struct } from "../bytes.ts";
import { DfsError } from "../errors.ts";
import { CONFIG_NAME } from "../file/names.ts";
import { type Config, configCodec, idCodec, NO_BIRTH, requestIdOf, slotOf } from "../membership.ts";
import type { Ballot } from "../version.ts";
import type { Catalog } from "./catalog/catalog.ts";
import type { Floor } from "./catalog/floors.ts";

export const membershipCodec = struct({ cluster: idCodec, config: optional(configCodec) });

export class Membership {
  readonly #catalog: Catalog;
  readonly #sid: string;
  /** The cluster that the first client named; null while the server is blank. */
  #cluster: string | null = null;
  #config: Config | null = null;
  #slot = -1;
  /**
   * Requests of an earlier epoch are refused. It is ahead of the configuration while a newer one is
   * being written.
   */
  #epoch = 0;
  /** How many requests of this epoch are not answered yet. */
  #underWay = 0;
  #installing: Promise<unknown> = Promise.resolve();
  #whenDone: (() => void)[] = [];

  constructor(catalog: Catalog, sid: string) {
    this.#catalog = catalog;
    this.#sid = sid;
    this.#recall();
  }

  get cluster(): string | null {
    return this.#cluster;
  }

  /** null before the server was told any. */
  get config(): Config | null {
    return this.#config;
  }

  /** The epoch of the configuration in force; 0 before there is one. */
  get epoch(): number {
    return this.#config?.epoch ?? 0;
  }

  /** The slot of this server; -1 if it has none. */
  get slot(): number {
    return this.#slot;
  }

  #recall(): void {
    const fact = this.#catalog.fact("membership");
    if (fact) ({ cluster: this.#cluster, config: this.#config } = decode(membershipCodec, fact));
    this.#epoch = this.#config?.epoch ?? 0;
    this.#slot = this.#config ? slotOf(this.#config, this.#sid) : -1;
  }

  /**
   * Joins a cluster, once. Joining the same one again changes nothing. Resolves to whether the
   * cluster is new to this server. Throws DfsError("identity") if it belongs to another one.
   */
  async join(cluster: string): Promise<boolean> {
    const isNews = this.#cluster === null;
    await this.#catalog.write(true, () => {
      const fact = this.#catalog.fact("membership");
      const known = fact && decode(membershipCodec, fact);
      if (known?.cluster === cluster) return;
      if (known) throw new DfsError("identity", "this server belongs to another cluster");
      const joined = encode(membershipCodec, { cluster, config: null });
      this.#catalog.setFact("membership", joined);
    });
    this.#recall();
    return isNews;
  }

  /**
   * The id by which requests of an epoch name the cluster. Before this server was told a
   * configuration, it knows only the id used at the founding. Throws DfsError("epoch").
   */
  idAt(epoch: number): string | null {
    if (epoch === 0 || this.#cluster === null) return this.#cluster;
    if (this.#config) return requestIdOf(this.#config, this.#cluster);
    throw new DfsError("epoch", `this server knows no epoch yet, and the request is of ${epoch}`);
  }

  /**
   * Puts this configuration in force, unless a newer one is known. From then on the server takes no
   * ballot below `everywhere` for a name without a row, and none below those of `floors` in their
   * spaces. Nothing of an earlier epoch happens after it. Resolves to whether the configuration is
   * new to this server. Throws DfsError("identity") if it is of another founding.
   */
  install(config: Config, everywhere: Ballot, floors: readonly Floor[] = []): Promise<boolean> {
    const install = (): Promise<boolean> => this.#install(config, everywhere, floors);
    const installed = this.#installing.then(install, install);
    this.#installing = installed;
    return installed;
  }

  async #install(config: Config, everywhere: Ballot, floors: readonly Floor[]): Promise<boolean> {
    const cluster = this.#cluster;
    if (cluster === null) throw new DfsError("identity", "this server belongs to no cluster yet");
    const isFirst = this.#config === null;
    if (!isFirst && this.#config?.birth !== config.birth)
      throw new DfsError(
        "identity",
        "this server belongs to a cluster that was founded another time",
      );
    this.#epoch = Math.max(this.#epoch, config.epoch);
    const isNews = config.epoch > (this.#config?.epoch ?? 0);
    if (isNews) await this.#allDone();
    try {
      await this.#catalog.write(true, () => {
        this.#catalog.floors.raiseEverywhere(everywhere);
        for (const { space, floor } of floors) this.#catalog.floors.raise(space, floor);
        if (!isNews) return;
        this.#catalog.setFact("membership", encode(membershipCodec, { cluster, config }));
        // All listed servers agreed on the founding. From here on the voters decide, in a register
        // of their own.
        // rule: founding-starts-anew
        if (isFirst && config.birth !== NO_BIRTH) this.#catalog.dropRegister("", CONFIG_NAME);
      });
    } finally {
      this.#recall();
    }
    return isNews;
  }

  #allDone(): Promise<void> {
    if (this.#underWay === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenDone.push(resolve));
  }

  /**
   * Does the work of a request of this epoch, if that is this server's epoch. Throws
   * DfsError("epoch").
   */
  async at<T>(epoch: number, work: () => T | Promise<T>): Promise<T> {
    // While a configuration is being written, its requests wait for it.
    while (epoch === this.#epoch && epoch > (this.#config?.epoch ?? 0)) await this.settled();
    if (epoch !== this.#epoch)
      throw new DfsError(
        "epoch",
        `the cluster is at epoch ${this.#epoch}, the request at ${epoch}`,
      );
    this.#underWay++;
    try {
      return await work();
    } finally {
      this.#underWay--;
      if (this.#underWay === 0) for (const resolve of this.#whenDone.splice(0)) resolve();
    }
  }

  /** Resolves when no configuration is being written. */
  async settled(): Promise<void> {
    await this.#installing.catch(() => {});
  }
}
