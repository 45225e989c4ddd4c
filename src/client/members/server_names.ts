/**
 * Which server a command means: by its name, or by the first digits of its id. Used by the commands
 * about servers.
 */
import { DfsError } from "../../errors.ts";
import { type Config, membersOf } from "../../membership.ts";
import type { Cluster } from "../connect/cluster.ts";

/** How many digits of a server's id are shown. They name it where no other id begins so. */
export const ID_DIGITS = 8;

/**
 * The slot of the server with this name, or whose id begins so. Seats that are kept count too.
 * Throws DfsError("usage").
 */
export function slotNamed(cluster: Cluster, name: string): number {
  const { config, listed } = cluster.view;
  const named = listed.filter((one) => cluster.labelOf(one) === name);
  // A server that is being replaced may have the same name as its heir.
  const isHeir = (one: number): boolean => named.some((of) => config.seats[of]?.heir === one);
  const found = named.length > 0 ? named.filter((one) => !isHeir(one)) : slotsOfId(config, name);
  const [slot, other] = found;
  if (other !== undefined)
    throw new DfsError(
      "usage",
      `two servers are called ${name}: name them by their ids, as dfs-tool server list shows them`,
    );
  if (slot !== undefined) return slot;
  const names = listed.map((one) => cluster.labelOf(one));
  throw new DfsError("usage", `the cluster has no server ${name}; it has ${names.join(", ")}`);
}

const slotsOfId = (config: Config, id: string): number[] =>
  id.length < ID_DIGITS
    ? []
    : membersOf(config).filter((slot) => config.seats[slot]?.sid?.startsWith(id.toLowerCase()));
