/**
 * `adopt`: seals files that lie in the open. Files that were put before there were users lie in
 * nobody's space. Files that a user put before having a password lie in that user's own space. Each
 * file is copied into the user's space, sealed, and only then deleted in the open. It may be cut
 * short at any point; the next run goes on with the files that are left. Used by the adopt command.
 */
import { Space } from "../trust/space.ts";
import { DfsError, isDfsError } from "../../errors.ts";
import { isFolder, knownIn } from "../../file/attributes.ts";
import { layoutName, layoutOf } from "../../file/layout.ts";
import {
  KEY_NAME,
  checkNewName,
  type Name,
  type NewName,
  type StoredName,
} from "../../file/names.ts";
import { manifestOf } from "../../file/manifest.ts";
import { isSealed } from "../../file/sealed_manifest.ts";
import { CHUNK_BYTES, ORPHAN_AGE_SECONDS } from "../../limits.ts";
import type { Vid } from "../../version.ts";
import type { Cluster } from "../connect/cluster.ts";
import { decideByReports, namesIn } from "../files/pages.ts";
import { makeFolder, put, type PutOptions } from "../files/put.ts";
import { readName } from "../agree/register.ts";
import { removeStored } from "../files/remove.ts";
import { stat } from "../files/stat.ts";
import { repairName } from "./repair.ts";
import type { Source } from "../send/source.ts";
import { NOBODY } from "../files/spaces.ts";
import { openStored } from "../files/stored_source.ts";

/** A name that lies in the open. */
export interface OpenName {
  /** The cluster for the space that the name lies in, without keys. */
  readonly space: Cluster;
  readonly name: StoredName;
  readonly bytes: number;
}

/** The version that the user has now; null for a folder. */
type Adopted = { readonly bytes: number; readonly vid: Vid; readonly rotation: number } | null;

/**
 * Are there files that were put before there were users? It is true only for an operator, and only
 * where there are users.
 */
export async function hasOpenFiles(cluster: Cluster): Promise<boolean> {
  const { isLoggedIn, isOperator } = cluster.connections;
  if (!isLoggedIn || !isOperator) return false;
  for await (const reported of namesIn(cluster.in(new Space(NOBODY)), "", false)) {
    const { state } = decideByReports(reported);
    if (state && !state.deleted) return true;
  }
  return false;
}

/**
 * The names in the open that this user may adopt: those in nobody's space for an operator, and
 * those in the user's own space from before there was a password. Throws DfsError("usage") for a
 * client without a space to adopt them into, and ("tooFew") where servers cannot tell which names
 * there are.
 */
export async function openNamesFor(cluster: Cluster, prefix: string): Promise<OpenName[]> {
  const { guard, user } = cluster.space;
  if (!guard || user === NOBODY)
    throw new DfsError(
      "usage",
      "files in the open are adopted by a user, who seals them: write Username and Password into dfc.conf",
    );
  const open: OpenName[] = [];
  if (cluster.connections.isOperator)
    open.push(...(await namesOfSpace(cluster.in(new Space(NOBODY)), prefix, () => true)));
  const isOpen = (name: StoredName): boolean => guard.shown(name) === null;
  for (const openName of await namesOfSpace(cluster.in(new Space(user)), prefix, isOpen))
    if (await isInTheOpen(openName)) open.push(openName);
  return open;
}

async function namesOfSpace(
  space: Cluster,
  prefix: string,
  isWanted: (name: StoredName) => boolean,
): Promise<OpenName[]> {
  const names: OpenName[] = [];
  for await (const reported of namesIn(space, prefix, false)) {
    const { is, state } = decideByReports(reported);
    if (is === "tooFew")
      throw new DfsError("tooFew", "too few servers answer to tell which files lie in the open");
    if (!state || state.deleted || reported.name === KEY_NAME || !isWanted(reported.name)) continue;
    names.push({ space, name: reported.name, bytes: state.size });
  }
  return names;
}

/**
 * Is the content in the open too? If not, it is sealed with a key that is lost, and nobody can read
 * it.
 */
async function isInTheOpen({ space, name }: OpenName): Promise<boolean> {
  const { current } = await readName(space, name);
  return current !== null && !isSealed(current.version.body);
}

/**
 * Adopts one name. Throws as `get` where it cannot be read, as `put` where it cannot be stored, and
 * DfsError("conflict") where the user has another file of that name; then both stay as they are.
 */
export async function adopt(
  cluster: Cluster,
  openName: OpenName,
  options: Pick<PutOptions, "placement" | "progress">,
): Promise<Adopted> {
  const { space } = openName;
  const name = checkNewName(openName.name);
  if (name.endsWith("/") && isFolder((await stat(space, name)).attributes))
    return adoptFolder(cluster, openName, name);
  const open = await openStored(space, name);
  const layout = layoutOf(layoutName(open.version));
  const mine = await storedOrNull(cluster, name);
  if (mine && !(await areSame(mine.source, open.source)))
    throw new DfsError(
      "conflict",
      `${name}: there is another file of that name among yours, and both stay: get yours, put it under another name and rm it, and adopt again`,
    );
  const { vid, rotation } =
    mine?.found ??
    (await put(cluster, name, open.source, { ...options, layout, condition: { vid: null } }));
  await removeOpen(openName, open.found.vid);
  return { bytes: open.found.bytes, vid, rotation };
}

async function adoptFolder(cluster: Cluster, open: OpenName, name: NewName): Promise<Adopted> {
  const { current } = await readName(open.space, open.name);
  if (!current) throw new DfsError("noSuchName", `there is no ${name}`);
  await makeFolder(cluster, name, manifestOf(name, current.version).attributes);
  await removeOpen(open, current.version.vid);
  return null;
}

/** The file that the user has under a name; null when there is none. */
async function storedOrNull(cluster: Cluster, name: Name) {
  try {
    return await openStored(cluster, name);
  } catch (error) {
    if (isDfsError(error, "noSuchName")) return null;
    throw error;
  }
}

/**
 * Have two files the same content, or two links the same target? A run that was cut short may have
 * copied the file already.
 */
async function areSame(one: Source, other: Source): Promise<boolean> {
  const [end, otherEnd] = [one, other].map(({ attributes }) => knownIn(attributes).target);
  if (one.bytes !== other.bytes || end !== otherEnd) return false;
  const [a, b] = [new Uint8Array(CHUNK_BYTES), new Uint8Array(CHUNK_BYTES)];
  for (let at = 0; at < one.bytes; at += CHUNK_BYTES) {
    const length = Math.min(CHUNK_BYTES, one.bytes - at);
    const [partOfOne, partOfOther] = [a.subarray(0, length), b.subarray(0, length)];
    await Promise.all([one.read(partOfOne, at), other.read(partOfOther, at)]);
    if (Buffer.compare(partOfOne, partOfOther) !== 0) return false;
  }
  return true;
}

/**
 * Deletes the version that lay in the open, if it still is the current one. Its name goes too as
 * soon as all servers answer.
 */
async function removeOpen({ space, name }: OpenName, vid: Vid): Promise<void> {
  await removeStored(space, name, { vid });
  await repairName(space, name, { dryRun: false, orphanAge: ORPHAN_AGE_SECONDS });
}
