/**
 * `rm`: deletes a name. A deletion is one more version, a tombstone. Repair forgets it once all
 * servers hold it. Used by the commands, and by adopt and remove_others.
 */
import { DfsError } from "../../errors.ts";
import type { Name, StoredName } from "../../file/names.ts";
import { tombstone } from "../../version.ts";
import type { Cluster } from "../connect/cluster.ts";
import { type Condition } from "../agree/decide.ts";
import { shortOf } from "../../quorum.ts";
import { propose } from "../agree/propose.ts";
import { reachToChange, silentText } from "../connect/silent.ts";

/**
 * Deletes a name. Throws DfsError("noSuchName"), ("conflict"), ("tooFew") when nothing was changed,
 * and ("open") when it cannot be told whether something was changed.
 */
export async function remove(cluster: Cluster, name: Name, condition?: Condition): Promise<void> {
  await removeStored(cluster, cluster.space.stored(name), condition, name);
}

/**
 * Deletes a name as servers know it. The name may be sealed with keys that this client does not
 * have.
 */
export async function removeStored(
  cluster: Cluster,
  stored: StoredName,
  condition?: Condition,
  name: string = stored,
): Promise<void> {
  await reachToChange(cluster);
  const short = shortOf(cluster.view.quorum, cluster.live);
  if (short)
    throw new DfsError(
      "tooFew",
      `${short.count} of ${short.of} servers answer, and a deletion takes ${short.takes}${silentText(cluster)}`,
    );
  const content = tombstone(cluster.ports.random.bytes(16).toHex());
  const { guard } = cluster.space;
  const outcome = await propose(cluster, stored, {
    content,
    sign: (version, ballot) => guard?.sign(stored, version, ballot) ?? version,
    condition: condition ?? null,
    supply: null,
  });
  switch (outcome.is) {
    case "done":
      return;
    case "nothingToDelete":
      throw new DfsError("noSuchName", `there is no ${name}`);
    case "refused":
      throw new DfsError(
        "conflict",
        `${name} was changed by someone else meanwhile; it was not deleted`,
      );
    case "failed":
      throw new DfsError("tooFew", `${name} was not deleted: ${outcome.why}`);
    default:
      throw new DfsError(
        "open",
        `${name}: ${outcome.why}; the outcome is open: it may yet be deleted`,
      );
  }
}
