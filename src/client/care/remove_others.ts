/**
 * Lets an operator remove files from another user's space: files that their user has lost, made up
 * or left behind. Names are as servers know them, since the keys that seal them are not here. Used
 * by the rm command.
 */
import { Space } from "../trust/space.ts";
import { DfsError } from "../../errors.ts";
import { checkStored, CONFIG_NAME, KEY_NAME, type StoredName } from "../../file/names.ts";
import { ORPHAN_AGE_SECONDS } from "../../limits.ts";
import type { Cluster } from "../connect/cluster.ts";
import { decideByReports, namesIn } from "../files/pages.ts";
import { removeStored } from "../files/remove.ts";
import { repairName } from "./repair.ts";
import { checkOperator } from "../files/spaces.ts";

/** Another user's space. Throws DfsError("forbidden") unless this user is an operator. */
export function spaceOf(cluster: Cluster, user: string): Cluster {
  checkOperator(cluster);
  return cluster.in(new Space(user));
}

/** Returns a name, as servers know it, if a user can have it; throws DfsError("usage") else. */
export function checkRemovable(name: string): StoredName {
  if (name !== CONFIG_NAME && name !== KEY_NAME) return checkStored(name);
  throw new DfsError("usage", `${JSON.stringify(name)} is not the name of a file`);
}

/**
 * All names in a space, but for the key record. Throws DfsError("tooFew") when too few servers
 * answer to tell.
 */
export async function namesOf(space: Cluster): Promise<StoredName[]> {
  const names: StoredName[] = [];
  for await (const reported of namesIn(space, "", false)) {
    const { is, state } = decideByReports(reported);
    if (is === "tooFew")
      throw new DfsError("tooFew", "too few servers answer to tell which there are");
    if (state && !state.deleted && reported.name !== KEY_NAME) names.push(reported.name);
  }
  return names;
}

/**
 * Deletes a name. Where all servers answer it has them forget the name too, so that for its user's
 * client the name is free. Throws as `remove`.
 */
export async function removeFrom(space: Cluster, name: StoredName): Promise<void> {
  await removeStored(space, name);
  await repairName(space, name, { dryRun: false, orphanAge: ORPHAN_AGE_SECONDS });
}
