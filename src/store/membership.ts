/** Which cluster a server belongs to, for ever, and the configuration of it that it goes by. */
import { decode, encode, optional, struct } from "../bytes.ts";
import { DfsError } from "../errors.ts";
import { type Config, configCodec, idCodec, NO_BIRTH, requestIdOf, slotOf } from "../membership.ts";
import type { Ballot } from "../version.ts";
import type { Catalog } from "./catalog/catalog.ts";
import type { Floor } from "./catalog/floors.ts";

const membershipCodec = struct({ cluster: idCodec, config: optional(configCodec) });

export class Membership {
  readonly #catalog: Catalog;
  readonly #sid: string;
  /** What the first client made of its list; null: it is blank. */
  #cluster: string | null = null;
  #config: Config | null = null;
  #slot = -1;
  /** What is asked at an earlier epoch is refused; ahead of the configuration while a newer one is being written. */
  #epoch = 0;
  /** Requests of this epoch that are not answered yet. */
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

  /** null before it was told any. */
  get config(): Config | null {
    return this.#config;
  }

  /** The slot of this server; -1 where it has none. */
  get slot(): number {
    return this.#slot;
  }

  #recall(): void {
    const fact = this.#catalog.fact("membership");
    if (fact) ({ cluster: this.#cluster, config: this.#config } = decode(membershipCodec, fact));
    this.#epoch = this.#config?.epoch ?? 0;
    this.#slot = this.#config ? slotOf(this.#config, this.#sid) : -1;
  }

  /** Joins a cluster, once; joining the same one again changes nothing. Resolves to whether it is news. Throws DfsError("identity") for another. */
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
   * What requests of an epoch call its cluster. Before it was told a configuration it knows only what is asked at the founding. Throws
   * DfsError("epoch").
   */
  idAt(epoch: number): string | null {
    if (epoch === 0 || this.#cluster === null) return this.#cluster;
    if (this.#config) return requestIdOf(this.#config, this.#cluster);
    throw new DfsError("epoch", `this server knows no epoch yet, and the request is of ${epoch}`);
  }

  /**
   * Goes by this configuration from now on, unless it knows a newer one; and takes no ballot below `everywhere` for a name that has
   * no row, nor one below those in `floors` in their spaces. Nothing of an earlier epoch happens after it. Resolves to whether it is
   * news. Throws DfsError("identity") where it is of another founding.
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
        // The founding was agreed on by all that were listed; from here on it is those that decide, in a register of their own.
        // rule: founding-starts-anew
        if (isFirst && config.birth !== NO_BIRTH) this.#catalog.dropRegister("", "");
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

  /** Does what was asked at an epoch, if that is this server's. Throws DfsError("epoch"). */
  async at<T>(epoch: number, work: () => T | Promise<T>): Promise<T> {
    // By a configuration that is being written nothing is done before it stands.
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
