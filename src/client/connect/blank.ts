/** Blank servers: how they come to belong to a cluster. Used where one begins, and where INIT did not reach a member of one. */
import { isDfsError } from "../../errors.ts";
import { type Config, membersOf } from "../../membership.ts";
import type { Greeted } from "./greeter.ts";

/** Somebody else is changing the configuration at this moment: to open the cluster anew shows what came of it. */
export class Again extends Error {}

/** Has a blank server join. */
export async function initServer({ peer }: Greeted, cluster: string): Promise<void> {
  try {
    await peer.init(cluster);
  } catch (error) {
    if (isDfsError(error, "identity")) throw new Again(`${peer.label}: ${error.message}`);
    if (!isDfsError(error, "down")) throw error;
  }
}

/** Has members of a configuration join the cluster with this id that are still blank, for INIT did not reach them. */
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
