/** rm of a folder: its marker goes where nothing lies in it. Whose names those are that do is said, for they stay. */
import { DfsError } from "../../errors.ts";
import { checkFolder } from "../../file/names.ts";
import type { Cluster } from "../connect/cluster.ts";
import { counted } from "../../counted.ts";
import { list } from "./list.ts";
import { remove } from "./remove.ts";

/** More names in a folder are not counted. */
const COUNTED_MAX = 1000;

/**
 * Deletes an empty folder, whether or not its name was given with the "/" at its end. Throws DfsError("failed") where it is not empty, and
 * else as `remove`.
 */
export async function removeFolder(cluster: Cluster, name: string): Promise<void> {
  const folder = checkFolder(name);
  let isMade = false;
  const inside: string[] = [];
  for await (const found of list(cluster, folder)) {
    if (found.name === folder) isMade = true;
    else inside.push(found.name);
    if (inside.length > COUNTED_MAX) break;
  }
  if (inside.length > 0)
    throw new DfsError(
      "failed",
      `${folder} is not empty: ${countText(inside.length)} in it, as ${inside[0]}; delete what is in it first`,
    );
  if (!isMade && folder !== name) throw new DfsError("noSuchName", `there is no ${name}`);
  await remove(cluster, folder);
}

const countText = (count: number): string =>
  count > COUNTED_MAX
    ? `more than ${COUNTED_MAX} names are`
    : counted(count, "name is", "names are");
