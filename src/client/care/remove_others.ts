/**
 * An operator removes what lies in another user's space: what its user has lost or made up, or left behind. Names are as servers know them,
 * for the keys that seal them are not here.
 */
import { DfsError } from "../../errors.ts";
import { checkStored, KEY_NAME } from "../../file/names.ts";
import { ORPHAN_AGE_SECONDS } from "../../limits.ts";
import type { Cluster } from "../connect/cluster.ts";
import { decideByReports, namesIn } from "../files/list.ts";
import { removeStored } from "../files/remove.ts";
import { repairName } from "./repair.ts";
import { checkOperator } from "../files/spaces.ts";

/** Another user's space; throws DfsError("forbidden") for who is no operator. */
export function spaceOf(cluster: Cluster, user: string): Cluster {
  checkOperator(cluster);
  return cluster.as(user, null);
}

/** A name as servers know it, which a user can have; throws DfsError("usage"). */
export function checkRemovable(name: string): string {
  if (name !== "" && name !== KEY_NAME) return checkStored(name);
  throw new DfsError("usage", `${JSON.stringify(name)} is not the name of a file`);
}

/** All names in a space, less the record of its key. Throws DfsError("tooFew") when too few servers answer to tell. */
export async function namesOf(space: Cluster): Promise<string[]> {
  const names: string[] = [];
  for await (const one of namesIn(space, "", false)) {
    const { is, state } = decideByReports(one);
    if (is === "tooFew")
      throw new DfsError("tooFew", "too few servers answer to tell which there are");
    if (state && !state.deleted && one.name !== KEY_NAME) names.push(one.name);
  }
  return names;
}

/** Deletes a name, and has servers forget it where all of them answer, so that its user's client takes it for a name that is free. Throws as `remove`. */
export async function removeIn(space: Cluster, name: string): Promise<void> {
  await removeStored(space, name);
  await repairName(space, name, { dryRun: false, orphanAge: ORPHAN_AGE_SECONDS });
}
