/**
 * Collects orphans: versions whose pieces came, and that never became current (docs/consistency.md
 * section 4, repair). Used by repair.
 */
import type { StoredName } from "../../file/names.ts";
import { canRead } from "../../quorum.ts";
import type { Accepted } from "../../version.ts";
import type { Pending } from "../../wire/values.ts";
import type { Cluster, Replies } from "../connect/cluster.ts";
import { unknownAmong } from "./diagnose.ts";

/**
 * Has all servers let go of these versions, behind a fence: a value that was accepted above all
 * promises. Nothing older can be chosen any more. Whatever was chosen before, and is not replaced,
 * some server of a read quorum has accepted or committed. So servers are asked again, after the
 * fence, and only what none of them has is collected. `before`: what they said before the fence.
 * Returns the number of versions.
 */
export async function collect(
  cluster: Cluster,
  name: StoredName,
  fence: Accepted,
  orphans: readonly Pending[],
  before: Replies<"read">,
  epoch: number,
): Promise<number> {
  if (orphans.length === 0) return 0;
  const { replies, view } = await cluster.ask(
    "read",
    () => ({ name, asked: [] }),
    () => null,
    epoch,
  );
  if (!canRead(view.quorum, replies.keys())) return 0;
  const told = [...replies.values()];
  const doomed = unknownAmong(orphans, told).filter(({ vid }) => vid !== fence.version.vid);
  const known = [...before.values(), ...told].flatMap(({ register: { acc, com } }) => [acc, com]);
  const contents = new Set([fence, ...known].map((value) => value?.version.cid));
  for (const { vid, cid } of doomed)
    await cluster.ask(
      "collect",
      // Where another version has the content, a server lets it go only if it knows such a version.
      () => ({
        name,
        vid,
        ballot: fence.ballot,
        spare: contents.has(cid),
      }),
      () => null,
      epoch,
    );
  return doomed.length;
}
