/**
 * `rm` of a folder: removes the marker of an empty folder. An error says how many names lie in a
 * folder that is not empty; these names stay. Used by the rm command.
 */
import { isFolder } from "../../file/attributes.ts";
import { DfsError } from "../../errors.ts";
import { checkFolder, type Name } from "../../file/names.ts";
import type { Cluster } from "../connect/cluster.ts";
import { counted } from "../../counted.ts";
import { list } from "./list.ts";
import { remove } from "./remove.ts";
import { stat } from "./stat.ts";

/** A folder with more names counts as "more than" this many. */
const COUNTED_MAX = 1000;

/**
 * Deletes an empty folder. Its name may be given with or without the "/" at its end. A file whose
 * own name ends in "/" is deleted whatever else is there, where that name is given. Throws
 * DfsError("failed") where the folder is not empty, and else as `remove`.
 */
export async function removeFolder(cluster: Cluster, name: Name): Promise<void> {
  const folder = checkFolder(name);
  let isListed = false;
  const inside: string[] = [];
  for await (const listed of list(cluster, folder)) {
    if (listed.name === folder) isListed = true;
    else inside.push(listed.name);
    if (inside.length > COUNTED_MAX) break;
  }
  const isFile = isListed && !isFolder((await stat(cluster, folder)).attributes);
  if (inside.length > 0 && !(isFile && folder === name))
    throw new DfsError(
      "failed",
      `${folder} is not empty: ${countText(inside.length)} in it, as ${inside[0]}; delete what is in it first`,
    );
  if ((isFile || !isListed) && folder !== name)
    throw new DfsError("noSuchName", `there is no ${name}`);
  await remove(cluster, folder);
}

const countText = (count: number): string =>
  count > COUNTED_MAX
    ? `more than ${COUNTED_MAX} names are`
    : counted(count, "name is", "names are");
