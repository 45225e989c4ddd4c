/** get: each piece once, from servers in balance; another copy where one is lost, slow or rotten. */
import { DfsError } from "../../errors.ts";
import { manifestOf, timeWithin } from "../../file/manifest.ts";
import { checkEither } from "../../file/names.ts";
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
  /** Only these bytes, as far as the file goes. Just the blocks that they touch are moved. */
  readonly range?: Range;
  /** Told of bytes of the file that have been written. */
  readonly progress?: (bytes: number) => void;
}

/**
 * Reads a file, or a range of it: what is written has its offset in the file all the same, and the whole size is what is told
 * of it. Throws DfsError("usage") for a range of negative or broken numbers, ("noSuchName", "incomplete", "tooFew"), and
 * ("integrity") where bytes do not verify and there is no good copy. After a throw, what was written must be thrown away.
 */
export async function get(
  cluster: Cluster,
  name: string,
  sink: Sink,
  { range = WHOLE, progress = () => {} }: GetOptions,
): Promise<Found> {
  checkRange(range);
  let download: Download | null = null;
  for (let last: number | null = null, briefly = true; ; briefly = false) {
    const { arrivals } = cluster;
    const located = await lookUp(cluster, name, briefly);
    const { found, stored, version, holders, small, epoch, stream } = located;
    if (download?.vid !== version.vid) {
      const reader = new VersionReader(cluster, stored, version);
      const wanted = cutTo(found.bytes, range);
      const [within, into, come] = stream
        ? ([
            sealedRange(wanted),
            openingSink(name, stream, wanted, sink, progress),
            () => {},
          ] as const)
        : ([wanted, sink, progress] as const);
      download = new Download(cluster, reader, cutTo(version.size, within), into, come);
      await into.open(found);
    }
    const problem = await download.run(holders, small);
    if (!problem) return found;
    // A piece may have moved just then: only a second complete look may say that it is gone, one at the same epoch.
    if (epoch !== null && epoch === last && !(await hearsMore(cluster, arrivals))) throw problem;
    last = epoch;
  }
}

/** A file that may be read. */
export interface Located {
  readonly found: Found;
  /** What servers know its name by. */
  readonly stored: string;
  readonly version: Version;
  /** What its content is sealed with; null: with nothing. */
  readonly stream: Stream | null;
  /** For each piece the slots that say they have it. */
  readonly holders: number[][];
  /** Small pieces that came along, as servers sent them: not verified. */
  readonly small: readonly SentPiece[];
  /** Of the cluster, when they said it; null: only few did. */
  readonly epoch: number | null;
}

/** Finds a file and who holds it, `briefly` of few servers where they can tell. Throws as `get`. */
export async function lookUp(cluster: Cluster, name: string, briefly = false): Promise<Located> {
  const stored = cluster.space.stored(checkEither(name));
  const brief = briefly ? await readFast(cluster, stored) : null;
  const reading = brief ?? (await readName(cluster, stored, { pieces: true }));
  const version = currentOf(cluster, name, reading);
  const { modified, mode, isFolder, bytes, key } = factsOf(cluster, name, stored, version);
  if (isFolder) throw new DfsError("usage", `${name} is a folder`);
  const { vid, ring } = version;
  const found = { name, vid, bytes, x: ring[0] ?? 0, modified, mode };
  const epoch = brief ? null : reading.view.config.epoch;
  const holders = holdersOf(version, reading.replies);
  const small = [...reading.replies.values()].flatMap(({ pieces }) => pieces);
  return { found, stored, version, stream: key && { key, bytes }, holders, small, epoch };
}

/** What the manifest of a version tells, sealed or not. Throws DfsError("integrity") where it does not read. */
export function factsOf(
  cluster: Cluster,
  name: string,
  stored: string,
  version: Version,
): Omit<Facts, "key"> & { readonly key: Uint8Array | null } {
  const facts = cluster.space.guard
    ? cluster.space.guard.read(stored, version).facts
    : { ...manifestOf(name, version), bytes: version.size, key: null };
  // Times later than any date were stored once.
  return { ...facts, modified: timeWithin(facts.modified) };
}

/** The version that a reading found; throws DfsError when there is none, or it cannot be told. */
export function currentOf(
  cluster: Cluster,
  name: string,
  { is, current, replies, view }: Reading,
): Version {
  const version = current?.version ?? null;
  const isThere = version !== null && !isGone(version);
  if (is === "current") {
    if (isThere) return version;
    throw new DfsError("noSuchName", `there is no ${name}`);
  }
  const answer = `${replies.size} of ${view.members.length} servers answer`;
  if (is === "doubt" && isThere)
    throw new DfsError(
      "incomplete",
      `${answer}: which version is current is in doubt${silentText(cluster)}`,
    );
  const what = isThere ? "tell its current version" : `tell whether there is a ${name}`;
  throw new DfsError("tooFew", `${answer}: too few to ${what}${silentText(cluster)}`);
}
