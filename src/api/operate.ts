/**
 * What operators do with a store: its servers, status, repair, verify, rebalance. Each is what the
 * command of the same name does. Used by store.ts, which loads it when it is asked for.
 */
import { type Rebalanced, rebalance } from "../client/care/rebalance.ts";
import { type Repaired, type RepairOptions, repairAll } from "../client/care/repair.ts";
import { type Status, statusOf } from "../client/care/status.ts";
import { type Verified, verifyAll } from "../client/care/verify.ts";
import type { Cluster } from "../client/connect/cluster.ts";
import { pause } from "../client/connect/pause.ts";
import { addServer, drainServer, removeServer, replaceServer } from "../client/members/members.ts";
import { moveServer } from "../client/members/moved.ts";
import { weighServer } from "../client/members/reweigh.ts";
import { type Need, needOf } from "../client/members/safety.ts";
import { slotNamed } from "../client/members/server_names.ts";
import { checkName } from "../file/names.ts";
import { ORPHAN_AGE_SECONDS, STATUS_WATCH_MS } from "../limits.ts";
import type { ServerAddress } from "../membership.ts";
import { type Member, membersOf } from "./members.ts";
import type { Signalled, Usual } from "./options.ts";

interface WorkOptions extends Signalled {
  /** Called with the number of bytes that have just been worked off. */
  readonly progress?: ((bytes: number) => void) | undefined;
}

interface PlannedOptions extends WorkOptions {
  /** Only names that begin so. */
  readonly prefix?: string | undefined;
  /** Only tell what is to be done. */
  readonly dryRun?: boolean | undefined;
}

interface StatusOptions extends Signalled {
  /** Is it HEALTHY only once every piece is at home and was read back, and no disk is full? */
  readonly isStrict?: boolean | undefined;
}

/** Servers are named as `members` names them, or by their ids. All throw DfsError. */
export class Operator {
  readonly #opened: Cluster;
  readonly #usual: Usual;

  constructor(cluster: Cluster, usual: Usual) {
    this.#opened = cluster;
    this.#usual = usual;
  }

  #cluster({ signal }: Signalled): Cluster {
    return signal ? this.#opened.during(signal) : this.#opened;
  }

  /** All servers that the cluster lists, in its order. */
  members(): Member[] {
    return membersOf(this.#opened);
  }

  /** Makes a blank server a member. */
  async add(server: ServerAddress): Promise<void> {
    await addServer(this.#opened, server);
  }

  /** From now on no piece comes to this server, and repair takes away those that are there. */
  async drain(name: string): Promise<void> {
    await drainServer(this.#opened, slotNamed(this.#opened, name));
  }

  /** What would become of the files without this server. */
  async need(name: string): Promise<Need> {
    return await needOf(this.#opened, slotNamed(this.#opened, name));
  }

  /** Ends the membership of a server that is drained, or gone for good. */
  async remove(name: string): Promise<void> {
    await removeServer(this.#opened, slotNamed(this.#opened, name));
  }

  /** Gives a blank server the place of another one; repair brings there what it should hold. */
  async replace(name: string, server: ServerAddress): Promise<void> {
    await replaceServer(this.#opened, slotNamed(this.#opened, name), server);
  }

  /** Notes that a server is at another address now. */
  async move(name: string, server: ServerAddress): Promise<void> {
    await moveServer(this.#opened, slotNamed(this.#opened, name), server);
  }

  /** Sets how large the disk of a server counts, from 1 to 65,535. */
  async weigh(name: string, weight: number): Promise<void> {
    await weighServer(this.#opened, slotNamed(this.#opened, name), weight);
  }

  /** Is everything that is stored safe, and what is left to do? */
  async status({ isStrict = false, ...options }: StatusOptions = {}): Promise<Status> {
    return await statusOf(this.#cluster(options), { layout: this.#usual.layout, isStrict });
  }

  /**
   * The status now, and again each time it says something new. The free room, and what servers
   * measure of themselves, are nothing new. It ends with the signal, or with the loop.
   */
  async *statuses(options: StatusOptions = {}): AsyncGenerator<Status, never> {
    for (let before = ""; ; await pause(this.#cluster(options), STATUS_WATCH_MS)) {
      const status = await this.status(options);
      const { servers, free: _, usable: __, ...said } = status;
      const now = JSON.stringify([said, servers.map(({ name, state }) => [name, state])]);
      if (now !== before) yield status;
      before = now;
    }
  }

  /** Brings all names to what they should be. Gives those where there was something to do. */
  repair(
    options: PlannedOptions & Pick<Partial<RepairOptions>, "orphanAge" | "looked"> = {},
  ): AsyncGenerator<Repaired> {
    const { prefix = "", dryRun = false, orphanAge = ORPHAN_AGE_SECONDS } = options;
    const { looked, progress } = options;
    return repairAll(this.#cluster(options), prefix, {
      dryRun,
      orphanAge,
      ...(looked && { looked }),
      ...(progress && { progress }),
    });
  }

  /**
   * Has servers read back a share of the blocks, from 0 to 1, of these names; by default all of all
   * names.
   */
  verify(
    options: WorkOptions & { readonly names?: readonly string[]; readonly sample?: number } = {},
  ): AsyncGenerator<Verified> {
    const { names, sample = 1, progress } = options;
    return verifyAll(this.#cluster(options), names?.map(checkName) ?? null, {
      sample,
      ...(progress && { progress }),
    });
  }

  /** Moves files to where they would be put today. Gives those that were elsewhere. */
  rebalance(options: PlannedOptions = {}): AsyncGenerator<Rebalanced> {
    const { prefix = "", dryRun = false, progress } = options;
    return rebalance(this.#cluster(options), prefix, {
      dryRun,
      placement: this.#usual.placement,
      ...(progress && { progress }),
    });
  }
}
