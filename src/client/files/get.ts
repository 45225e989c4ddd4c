/**
 * `get`: reads a file, or a range of it. Each piece is fetched once, and the servers share the work
 * evenly. Where a copy is lost, slow or damaged, another copy is read instead. Used by the
 * commands; the stat, stored_source and verify files use its parts.
 */
import { DfsError } from "../../errors.ts";
import { isFolder, knownIn } from "../../file/attributes.ts";
import { manifestOf } from "../../file/manifest.ts";
import type { Name, StoredName } from "../../file/names.ts";
import type { Stream } from "../../file/seal.ts";
import type { Facts } from "../../file/sealed_manifest.ts";
import { isGone, type Version } from "../../version.ts";
import type { SentPiece } from "../../wire/values.ts";
import { readFast } from "../agree/fast_path.ts";
import type { Cluster } from "../connect/cluster.ts";
import { Download } from "../fetch/download.ts";
import { holdersOf } from "../fetch/holders.ts";
import type { Found, Sink } from "../fetch/sink.ts";
import { openingSink, sealedRange } from "../fetch/opening_sink.ts";
import { checkRange, cutTo, type Range, WHOLE } from "../fetch/portions.ts";
import { type Reading, readName } from "../agree/register.ts";
import { hearsMore, silentText } from "../connect/silent.ts";
import { VersionReader } from "../fetch/version_reader.ts";

export interface GetOptions {
  /** Only these bytes, as far as the file has them. Only the blocks that they touch are moved. */
  readonly range?: Range;
  /** Called with the number of bytes that were just written to the sink. */
  readonly progress?: (bytes: number) => void;
}

/**
 * Reads a file, or a range of it. Also of a range, bytes are written at their offset in the file,
 * and the sink is told the size of the whole file. After a throw, what was written must be thrown
 * away.
 *
 * Throws DfsError("usage") for a range of negative or broken numbers, and for a folder or a
 * symbolic link, ("noSuchName"),
 * ("incomplete"), ("tooFew"), and ("integrity") where bytes do not verify and there is no good
 * copy.
 */
export async function get(
  cluster: Cluster,
  name: Name,
  sink: Sink,
  { range = WHOLE, progress = () => {} }: GetOptions,
): Promise<Found> {
  checkRange(range);
  let download: Download | null = null;
  for (let lastEpoch: number | null = null, tries = 0; ; tries++) {
    const { arrivals } = cluster;
    const located = await lookUp(cluster, name, tries === 0);
    const { found, stored, version, holders, small, epoch, stream } = located;
    const { kind, target: end } = knownIn(found.attributes);
    if (kind === "link")
      throw new DfsError("usage", `${name} is a symbolic link to ${end}, and get writes files`);
    if (download?.vid !== version.vid) {
      const reader = new VersionReader(cluster, stored, version);
      const wanted = cutTo(found.bytes, range);
      const [storedRange, target, onWritten] = stream
        ? ([
            sealedRange(wanted),
            openingSink(name, stream, wanted, sink, progress),
            () => {},
          ] as const)
        : ([wanted, sink, progress] as const);
      download = new Download(cluster, reader, cutTo(version.size, storedRange), target, onWritten);
      await target.open(found);
    }
    const problem = await download.run(holders, small);
    if (!problem) return found;
    // A piece may have moved in the meantime. So only a second complete look at the same epoch may
    // say that it is gone.
    if (epoch !== null && epoch === lastEpoch && !(await hearsMore(cluster, arrivals, tries)))
      throw problem;
    lastEpoch = epoch;
  }
}

/** A file that was found, and what it takes to read it. */
export interface Located {
  readonly found: Found;
  /** The name that servers know it by. */
  readonly stored: StoredName;
  readonly version: Version;
  /** What its content is sealed with; null where it is not sealed. */
  readonly stream: Stream | null;
  /** For each piece, the slots whose servers say that they hold it. */
  readonly holders: number[][];
  /** Small pieces that came with the answers. They are not verified. */
  readonly small: readonly SentPiece[];
  /** The epoch at which all servers were asked; null where only a few were asked. */
  readonly epoch: number | null;
}

/**
 * Finds a file and the servers that hold it. With `briefly` it asks a few servers, where these can
 * tell. Throws as `get`.
 */
export async function lookUp(cluster: Cluster, name: Name, briefly = false): Promise<Located> {
  const stored = cluster.space.stored(name);
  const brief = briefly ? await readFast(cluster, stored) : null;
  const reading = brief ?? (await readName(cluster, stored, { pieces: true }));
  const version = currentOf(cluster, name, reading);
  const { attributes, bytes, key } = factsOf(cluster, name, stored, version);
  if (isFolder(attributes))
    throw new DfsError("usage", `${name} is a folder; name the files in it, as list ${name} does`);
  const { vid, ring } = version;
  const found = { name, vid, bytes, rotation: ring[0] ?? 0, attributes };
  const epoch = brief ? null : reading.view.config.epoch;
  const holders = holdersOf(version, reading.replies);
  const small = [...reading.replies.values()].flatMap(({ pieces }) => pieces);
  return { found, stored, version, stream: key && { key, bytes }, holders, small, epoch };
}

/**
 * What the manifest of a version says, whether it is sealed or not. Throws DfsError("integrity")
 * where the manifest does not read.
 */
export function factsOf(
  cluster: Cluster,
  name: string,
  stored: StoredName,
  version: Version,
): Omit<Facts, "key"> & { readonly key: Uint8Array | null } {
  if (cluster.space.guard) return cluster.space.guard.read(stored, version).facts;
  return { attributes: manifestOf(name, version).attributes, bytes: version.size, key: null };
}

/**
 * The version that a reading found. Throws DfsError("noSuchName") when there is none,
 * ("incomplete") or ("tooFew") when the answers do not decide it.
 */
export function currentOf(
  cluster: Cluster,
  name: string,
  { is, current, replies, view }: Reading,
): Version {
  const version = current?.version ?? null;
  const exists = version !== null && !isGone(version);
  if (is === "current") {
    if (exists) return version;
    throw new DfsError("noSuchName", `there is no ${name}`);
  }
  const answer = `${replies.size} of ${view.members.length} servers answer`;
  if (is === "doubt" && exists)
    throw new DfsError(
      "incomplete",
      `${answer}: which version is current is in doubt${silentText(cluster)}`,
    );
  const what = exists ? "tell its current version" : `tell whether there is a ${name}`;
  throw new DfsError("tooFew", `${answer}: too few to ${what}${silentText(cluster)}`);
}
