/**
 * Adopting files that lie in the open: put before there were users, they are in nobody's space; put before their user had a password,
 * they are in that user's own. Each is copied into the user's space, sealed, and only then deleted in the open. It may be cut short
 * at any point: whoever does it again goes on with what is left.
 */
import { DfsError, isDfsError } from "../../errors.ts";
import { layoutName, layoutOf } from "../../file/layout.ts";
import { checkEither, KEY_NAME } from "../../file/names.ts";
import { isSealed } from "../../file/sealed_manifest.ts";
import { CHUNK_BYTES, ORPHAN_AGE_SECONDS } from "../../limits.ts";
import type { Vid } from "../../version.ts";
import type { Cluster } from "../connect/cluster.ts";
import { decideByReports, namesIn } from "../files/list.ts";
import { makeFolder, put, type PutOptions } from "../files/put.ts";
import { readName } from "../agree/register.ts";
import { removeStored } from "../files/remove.ts";
import { repairName } from "./repair.ts";
import type { Source } from "../send/source.ts";
import { NOBODY } from "../files/spaces.ts";
import { openStored } from "../files/stored_source.ts";

/** A name that lies in the open. */
export interface OpenName {
  /** The cluster as its space has it: without keys. */
  readonly space: Cluster;
  readonly name: string;
  readonly bytes: number;
}

/** The version that is its user's now; of a folder null. */
type Adopted = { readonly bytes: number; readonly vid: Vid; readonly rotation: number } | null;

/** Are there files of before there were users? Only an operator is told, and only where there are users. */
export async function areSomeOpen(cluster: Cluster): Promise<boolean> {
  const { isLoggedIn, isOperator } = cluster.connections;
  if (!isLoggedIn || !isOperator) return false;
  for await (const one of namesIn(cluster.as(NOBODY, null), "", false)) {
    const { state } = decideByReports(one);
    if (state && !state.deleted) return true;
  }
  return false;
}

/**
 * The names in the open that this user may adopt: nobody's, for an operator, and their own of before they had a password. Throws
 * DfsError("usage") for who has no space to adopt them into, and ("tooFew") where servers cannot tell which there are.
 */
export async function openNamesFor(cluster: Cluster, prefix: string): Promise<OpenName[]> {
  const { guard, user } = cluster;
  if (!guard || user === NOBODY)
    throw new DfsError(
      "usage",
      "files in the open are adopted by a user, who seals them: write Username and Password into dfc.conf",
    );
  const open: OpenName[] = [];
  if (cluster.connections.isOperator)
    open.push(...(await namesOfSpace(cluster.as(NOBODY, null), prefix, () => true)));
  const isOpen = (name: string): boolean => guard.shown(name) === null;
  for (const one of await namesOfSpace(cluster.as(user, null), prefix, isOpen))
    if (await isInTheOpen(one)) open.push(one);
  return open;
}

async function namesOfSpace(
  space: Cluster,
  prefix: string,
  isWanted: (name: string) => boolean,
): Promise<OpenName[]> {
  const names: OpenName[] = [];
  for await (const one of namesIn(space, prefix, false)) {
    const { is, state } = decideByReports(one);
    if (is === "tooFew")
      throw new DfsError("tooFew", "too few servers answer to tell which files lie in the open");
    if (!state || state.deleted || one.name === KEY_NAME || !isWanted(one.name)) continue;
    names.push({ space, name: one.name, bytes: state.size });
  }
  return names;
}

/** Is its content in the open too? Else it is sealed with a key that is lost, and nobody can make anything of it. */
async function isInTheOpen({ space, name }: OpenName): Promise<boolean> {
  const { current } = await readName(space, name);
  return current !== null && !isSealed(current.version.body);
}

/**
 * Adopts one. Throws as `get` where it cannot be read, as `put` where it cannot be stored, and DfsError("conflict") where another file of
 * that name is there already: then both stay as they are.
 */
export async function adopt(
  cluster: Cluster,
  { space, name }: OpenName,
  options: Pick<PutOptions, "placement" | "progress">,
): Promise<Adopted> {
  checkEither(name);
  if (name.endsWith("/")) return adoptFolder(cluster, space, name);
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
  await leave(space, name, open.found.vid);
  return { bytes: open.found.bytes, vid, rotation };
}

async function adoptFolder(cluster: Cluster, space: Cluster, name: string): Promise<Adopted> {
  const { current } = await readName(space, name);
  if (!current) throw new DfsError("noSuchName", `there is no ${name}`);
  await makeFolder(cluster, name);
  await leave(space, name, current.version.vid);
  return null;
}

/** What the user has under a name; null: nothing. */
async function storedOrNull(cluster: Cluster, name: string) {
  try {
    return await openStored(cluster, name);
  } catch (error) {
    if (isDfsError(error, "noSuchName")) return null;
    throw error;
  }
}

/** Have two files the same content? Whoever was cut short has copied one already. */
async function areSame(one: Source, other: Source): Promise<boolean> {
  if (one.bytes !== other.bytes) return false;
  const [a, b] = [new Uint8Array(CHUNK_BYTES), new Uint8Array(CHUNK_BYTES)];
  for (let at = 0; at < one.bytes; at += CHUNK_BYTES) {
    const length = Math.min(CHUNK_BYTES, one.bytes - at);
    const [x, y] = [a.subarray(0, length), b.subarray(0, length)];
    await Promise.all([one.read(x, at), other.read(y, at)]);
    if (Buffer.compare(x, y) !== 0) return false;
  }
  return true;
}

/** Deletes what lay in the open, if it still is that version; its name goes too, as soon as all servers answer. */
async function leave(space: Cluster, name: string, vid: Vid): Promise<void> {
  await removeStored(space, name, { vid });
  await repairName(space, name, { dryRun: false, orphanAge: ORPHAN_AGE_SECONDS });
}
