/** Changing the cluster's configuration: one more version of the register of its reserved name (docs/consistency.md section 4). */
import { decode, encode } from "../bytes.ts";
import { assert, DfsError, isDfsError } from "../errors.ts";
import { MANIFEST_BYTES } from "../limits.ts";
import { type Config, configCodec, isSound } from "../membership.ts";
import { type Ballot, isGone, tombstone } from "../version.ts";
import type { Cluster } from "./cluster.ts";
import type { UserFloor } from "../wire/values.ts";
import { propose } from "./propose.ts";
import { readName } from "./register.ts";

/** The reserved name whose register holds the configuration. */
export const CONFIG_NAME = "";

/** Somebody else is changing the configuration at this moment. */
export class Again extends Error {}

/** The configuration that was chosen last, which the servers may not have been told yet; null where there is none, or it cannot be told. */
async function chosenConfig(cluster: Cluster): Promise<{ vid: string; config: Config } | null> {
  const { is, current } = await readName(cluster, CONFIG_NAME);
  // In the register a tombstone stands for "nothing yet", where that had to be accepted.
  if (is !== "current" || isGone(current?.version ?? null) || !current) return null;
  return { vid: current.version.vid, config: decode(configCodec, current.version.body) };
}

/**
 * Makes `config` the next configuration, and goes by it. "taken": another one came before it, by which the cluster goes now.
 * "failed": too few servers answer, and it may yet come. Throws DfsError("usage") where it is too large.
 */
export async function changeConfig(
  cluster: Cluster,
  config: Config,
): Promise<"done" | "taken" | "failed"> {
  assert(isSound(config), "a configuration that is proposed does not contradict itself");
  const before = await chosenConfig(cluster);
  if (before && before.config.epoch >= config.epoch) {
    await follow(cluster, before.config);
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
    epoch: config.epoch - 1,
  });
  if (outcome.is === "done") {
    await goBy(cluster, config);
    return "done";
  }
  if (outcome.is !== "refused") return "failed";
  await goByChosen(cluster);
  return "taken";
}

/** Has all servers that can be asked go by our configuration, `others` too; returns the slots of those that do. */
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
        cluster.mention(slot, error);
        return [];
      }
    }),
  );
  return done.flat();
}

/** Goes by the configuration that was chosen last, should its proposer not have come to tell the servers. */
export async function goByChosen(cluster: Cluster): Promise<void> {
  const now = await chosenConfig(cluster);
  if (now) await follow(cluster, now.config);
}

/** Goes by a configuration that was chosen, unless a newer one is known. */
async function follow(cluster: Cluster, config: Config): Promise<void> {
  if (config.epoch > cluster.view.config.epoch) await goBy(cluster, config);
}

/** Has all servers go by a configuration that was chosen, those too that it has no place for any more. */
async function goBy(cluster: Cluster, config: Config): Promise<void> {
  const before = cluster.view.members;
  await cluster.adopt(config);
  await install(cluster, 0n, before);
}
