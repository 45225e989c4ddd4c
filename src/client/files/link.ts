/**
 * New versions of content that is stored already: a copy or a move of a file to another name, and a
 * change of what is said about it. They move no bytes, as the servers have them. Used by the
 * commands cp and mv.
 */
import { DfsError, isDfsError } from "../../errors.ts";
import { type Attributes, checkAttributes, isFolder } from "../../file/attributes.ts";
import { rootsOf } from "../../file/manifest.ts";
import type { Name, NewName, StoredName } from "../../file/names.ts";
import type { Version, Vid } from "../../version.ts";
import type { Condition } from "../agree/decide.ts";
import { type Outcome, propose } from "../agree/propose.ts";
import { readName } from "../agree/register.ts";
import type { Cluster } from "../connect/cluster.ts";
import { holdersOf } from "../fetch/holders.ts";
import { LinkedPieces } from "../send/linked_pieces.ts";
import { currentOf, factsOf } from "./get.ts";
import { checkEnoughLive, storedOrThrow, withManifest } from "./put.ts";
import { remove } from "./remove.ts";

export interface LinkOptions {
  /** What must hold of the current version of the name that is written. */
  readonly condition?: Condition;
  /** The version that must be the current one of the name that is copied. */
  readonly of?: Vid;
}

/** The version that was made. */
export interface Linked {
  readonly vid: Vid;
  readonly seq: number;
  /** The bytes of the file, and the rotation of its placement. */
  readonly bytes: number;
  readonly rotation: number;
  /** The version whose content it has. */
  readonly source: Vid;
}

/** How often what is written is looked up anew, because others write it at the same time. */
const LOOKS = 8;

/**
 * Makes the current file or folder `from` the next version of `to`. It has the content of `from`
 * from then on, whatever becomes of that name. Of a folder only its own record is copied.
 *
 * Throws DfsError("noSuchName") where there is no `from`, and ("usage") where it is a folder and
 * `to` has no "/" at its end; as `get` where it cannot be told what is current of it; and as `put`.
 */
export async function copy(
  cluster: Cluster,
  from: Name,
  to: NewName,
  { condition, of }: LinkOptions = {},
): Promise<Linked> {
  if (from === to) {
    const holds = condition ?? (of === undefined ? undefined : { vid: of });
    return changeAttributes(cluster, from, (attributes) => attributes, holds);
  }
  await checkEnoughLive(cluster);
  for (let look = 1, lost: Vid | null = null; ; look++) {
    const found = await find(cluster, from);
    const { version, holders } = found;
    if (of !== undefined && of !== version.vid)
      throw new DfsError(
        "conflict",
        `${from} was changed by someone else meanwhile; nothing was changed`,
      );
    if (isFolder(found.about.attributes) && !to.endsWith("/"))
      throw new DfsError(
        "usage",
        `${from} is a folder, so its copy must have a name that ends in "/"`,
      );
    const stored = cluster.space.stored(to);
    const vid = cluster.ports.random.bytes(16).toHex();
    const supply =
      version.pieces > 0
        ? new LinkedPieces(cluster, { name: stored, vid }, version, holders)
        : null;
    const outcome = await propose(cluster, stored, {
      ...contentFor(cluster, stored, vid, found, found.about),
      condition: condition ?? null,
      supply,
    });
    // The content may have gone because a newer version has replaced it.
    if (outcome.is === "failed" && supply?.isLost && look < LOOKS && lost !== version.vid) {
      lost = version.vid;
      continue;
    }
    return linkedOrThrow(to, outcome, vid, found, condition);
  }
}

/**
 * Moves a file, or the record of a folder, to another name: a copy, and then a deletion of the
 * version that was copied. Where it is cut short, the old name is there, or both are.
 *
 * Throws as `copy`, when nothing was changed or the copy may yet come; and where the copy is there,
 * and the old name could not be deleted, DfsError("conflict", "tooFew", "open").
 */
export async function move(
  cluster: Cluster,
  from: Name,
  to: NewName,
  options: LinkOptions = {},
): Promise<Linked> {
  if (from === to) throw new DfsError("usage", `${from} has this name already`);
  // Throws where the copy is not certain.
  const linked = await copy(cluster, from, to, options);
  try {
    await remove(cluster, from, /* rule: move-deletes-what-it-copied */ { vid: linked.source });
  } catch (error) {
    if (!isDfsError(error)) throw error;
    const what =
      error.code === "conflict"
        ? `${from} was changed by someone else meanwhile, and was not removed`
        : error.message;
    throw new DfsError(error.code, `${to} is there with what ${from} was; ${what}`);
  }
  return linked;
}

/**
 * Makes a new version of a name with the same content, and with the attributes that `change` makes
 * of those it has. `change` may be called several times, as others may write the name meanwhile.
 * Throws as `copy`, and DfsError("usage") for attributes that cannot be.
 */
export async function changeAttributes(
  cluster: Cluster,
  name: Name,
  change: (attributes: Attributes) => Attributes,
  condition?: Condition,
): Promise<Linked> {
  await checkEnoughLive(cluster);
  for (let look = 1; ; look++) {
    const found = await find(cluster, name);
    const { version, about } = found;
    const changed = { ...about, attributes: checkAttributes(change(about.attributes)) };
    const holds = !condition || condition.vid === version.vid;
    const stored = cluster.space.stored(name);
    const vid = cluster.ports.random.bytes(16).toHex();
    // The new version takes over the pieces of its parent, so the parent must be this very version.
    const outcome: Outcome = holds
      ? await propose(cluster, stored, {
          ...contentFor(cluster, stored, vid, found, changed),
          condition: { vid: version.vid },
          supply: null,
        })
      : { is: "refused", current: version };
    if (outcome.is === "refused" && !condition && look < LOOKS) continue;
    return linkedOrThrow(name, outcome, vid, found, condition);
  }
}

/** What the manifest of a version says. */
type Facts = ReturnType<typeof factsOf>;

/** A version that was found: its manifest, and for each piece the slots that hold it. */
interface FoundVersion {
  readonly version: Version;
  readonly about: Facts;
  readonly roots: Uint8Array[];
  readonly holders: number[][];
}

/** Finds the current version of a file or folder. */
async function find(cluster: Cluster, name: Name): Promise<FoundVersion> {
  const stored = cluster.space.stored(name);
  const reading = await readName(cluster, stored);
  const version = currentOf(cluster, name, reading);
  return {
    version,
    about: factsOf(cluster, name, stored, version),
    roots: rootsOf(name, version),
    holders: holdersOf(version, reading.replies),
  };
}

/** A new version with the content that was found, and its manifest for this name. */
function contentFor(
  cluster: Cluster,
  stored: StoredName,
  vid: Vid,
  { version, roots }: FoundVersion,
  about: Facts,
) {
  const { deleted, cid, pieces, needed, copies, striped, ring, at, size } = version;
  const content = { vid, deleted, cid, pieces, needed, copies, striped, ring, at, size };
  return withManifest(cluster, stored, about, roots, about.key, content);
}

const linkedOrThrow = (
  name: string,
  outcome: Outcome,
  vid: Vid,
  { version, about }: FoundVersion,
  condition?: Condition,
): Linked => ({
  ...storedOrThrow(name, outcome, vid, condition),
  bytes: about.bytes,
  rotation: version.ring[0] ?? 0,
  source: version.vid,
});
