/**
 * Changes the cluster's configuration: a new version of the register of its reserved name
 * (docs/consistency.md section 4). Used by floors and by the room members.
 */
import { decode, encode } from "../../bytes.ts";
import { assert, DfsError, isDfsError } from "../../errors.ts";
import { CONFIG_NAME } from "../../file/names.ts";
import { MANIFEST_BYTES } from "../../limits.ts";
import { type Config, configCodec, isSound } from "../../membership.ts";
import { type Ballot, isGone, tombstone } from "../../version.ts";
import type { Cluster } from "../connect/cluster.ts";
import type { UserFloor } from "../../wire/values.ts";
import { propose } from "./propose.ts";
import { readName } from "./register.ts";

/**
 * The configuration that was chosen last. The servers may not have been told of it yet. null: there
 * is none, or it cannot be told.
 */
async function chosenConfig(cluster: Cluster): Promise<{ vid: string; config: Config } | null> {
  const { is, current } = await readName(cluster, CONFIG_NAME);
  // In this register a tombstone means "nothing yet": it stands where a value had to be accepted.
  if (is !== "current" || isGone(current?.version ?? null) || !current) return null;
  return { vid: current.version.vid, config: decode(configCodec, current.version.body) };
}

/**
 * Makes `config` the next configuration, and has the cluster adopt it. "taken": another
 * configuration came first, and the cluster has adopted that one. "failed": too few servers answer,
 * and `config` may still be chosen later. Throws DfsError("usage") where it is too large.
 */
export async function changeConfig(
  cluster: Cluster,
  config: Config,
): Promise<"done" | "taken" | "failed"> {
  assert(isSound(config), "a configuration that is proposed does not contradict itself");
  const before = await chosenConfig(cluster);
  if (before && before.config.epoch >= config.epoch) {
    await adoptIfNewer(cluster, before.config);
    return "taken";
  }
  const body = encode(configCodec, config);
  if (body.length > MANIFEST_BYTES)
    throw new DfsError("usage", "the cluster has had too many servers: make a new one");
  const vid = cluster.ports.random.bytes(16).toHex();
  const outcome = await propose(cluster, CONFIG_NAME, {
    content: { ...tombstone(vid), deleted: false, body },
    condition: { vid: before?.vid ?? null },
    supply: null,
    // rule: change-at-its-epoch
    epoch: config.epoch - 1,
  });
  if (outcome.is === "done") {
    await adoptEverywhere(cluster, config);
    return "done";
  }
  if (outcome.is !== "refused") return "failed";
  await adoptChosen(cluster);
  return "taken";
}

/**
 * Sends our configuration, and these floors, to all members and to `others`, as far as they can be
 * asked. Returns the slots of the servers that took it.
 */
export async function install(
  cluster: Cluster,
  floor: Ballot,
  others: readonly number[] = [],
  floors: UserFloor[] = [],
): Promise<number[]> {
  const { config, members } = cluster.view;
  const slots = [...new Set([...members, ...others])];
  const done = await Promise.all(
    slots.map(async (slot) => {
      try {
        await cluster.peer(slot)?.install(cluster.id, config, floor, floors);
        return cluster.peer(slot) ? [slot] : [];
      } catch (error) {
        if (!isDfsError(error)) throw error;
        cluster.reportError(slot, error);
        return [];
      }
    }),
  );
  return done.flat();
}

/**
 * Adopts the configuration that was chosen last. Its proposer may not have come to tell the
 * servers.
 */
export async function adoptChosen(cluster: Cluster): Promise<void> {
  const now = await chosenConfig(cluster);
  if (now) await adoptIfNewer(cluster, now.config);
}

/** Adopts a configuration that was chosen, unless a newer one is known. */
async function adoptIfNewer(cluster: Cluster, config: Config): Promise<void> {
  if (config.epoch > cluster.view.config.epoch) await adoptEverywhere(cluster, config);
}

/**
 * Adopts a configuration that was chosen, and sends it to all its servers, and to those that were
 * members before.
 */
async function adoptEverywhere(cluster: Cluster, config: Config): Promise<void> {
  const before = cluster.view.members;
  await cluster.epochs.adopt(config);
  await install(cluster, 0n, before);
}
