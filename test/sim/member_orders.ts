/** What simulated clients do to the members of a cluster; a part of operations.ts. */
import type { Cluster } from "../../src/client/connect/cluster.ts";
import {
  addServer,
  drainServer,
  removeServer,
  replaceServer,
} from "../../src/client/members/members.ts";
import { slotNamed } from "../../src/client/members/server_names.ts";
import { finishChange } from "../../src/client/members/migrate.ts";
import { moveServer } from "../../src/client/members/moved.ts";
import { weighServer } from "../../src/client/members/reweigh.ts";
import type { ServerAddress } from "../../src/membership.ts";

/** A server more, one less, one in another's place, at another address, or of another weight. */
export type MemberOrder =
  | { readonly do: "grow"; readonly by: ServerAddress }
  | { readonly do: "drain"; readonly by: string }
  | { readonly do: "weigh"; readonly by: string; readonly weight: number }
  | { readonly do: "shrink"; readonly by: string }
  | { readonly do: "move"; readonly by: ServerAddress }
  | {
      readonly do: "replace";
      readonly old: string;
      readonly by: ServerAddress;
      /** Is what it should hold left for others to bring? */
      readonly bare?: boolean;
    };

/** Does it; `repair` repairs all names. */
export async function changeMembers(
  cluster: Cluster,
  order: MemberOrder,
  repair: () => Promise<void>,
): Promise<void> {
  switch (order.do) {
    case "grow":
      return addServer(cluster, order.by);
    case "drain":
      return drainServer(cluster, slotNamed(cluster, order.by));
    case "move":
      return moveServer(cluster, slotNamed(cluster, order.by.name), order.by);
    case "weigh":
      return weighServer(cluster, slotNamed(cluster, order.by), order.weight);
    case "shrink":
      await drainServer(cluster, slotNamed(cluster, order.by));
      await repair();
      return removeServer(cluster, slotNamed(cluster, order.by));
    case "replace":
      await replaceServer(cluster, slotNamed(cluster, order.old), order.by);
      await (order.bare ? finishChange(cluster) : repair());
  }
}
