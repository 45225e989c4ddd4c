/**
 * Blank servers, which belong to no cluster yet, and how they join one. Used by initialise and
 * cluster.
 */
import { isDfsError } from "../../errors.ts";
import { type Config, membersOf } from "../../membership.ts";
import type { Greeted } from "./greeter.ts";

/**
 * Somebody else is setting up the cluster at this moment. Opening the cluster again shows what came
 * of it.
 */
export class OpenAgain extends Error {}

/** Has a blank server join a cluster. */
export async function initServer({ peer }: Greeted, cluster: string): Promise<void> {
  try {
    await peer.init(cluster);
  } catch (error) {
    if (isDfsError(error, "identity")) throw new OpenAgain(`${peer.label}: ${error.message}`);
    if (!isDfsError(error, "down")) throw error;
  }
}

/**
 * Has blank servers join the cluster with this id, if they are members of its configuration: INIT
 * did not reach them when the cluster began.
 */
export async function joinBlank(
  id: string,
  config: Config,
  greeted: readonly Greeted[],
): Promise<void> {
  const members = membersOf(config).map((slot) => config.seats[slot]?.sid);
  for (const { peer, greeting } of greeted)
    if (greeting.cluster === null && /* rule: members-by-id */ members.includes(greeting.sid))
      await peer.init(id).catch((error: unknown) => {
        if (!isDfsError(error)) throw error;
      });
}
