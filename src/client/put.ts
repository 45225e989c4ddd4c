/** put: pieces to their servers first, the manifest after them, and the register decides (docs/consistency.md section 4). */
import { createHash } from "node:crypto";
import { DfsError, isDfsError } from "../errors.ts";
import { type Layout, shapeOf } from "../file/layout.ts";
import { encodeManifest, timeWithin } from "../file/manifest.ts";
import { checkFolder, checkNewName } from "../file/names.ts";
import { digestOfName, drawDigest, ringOf } from "../file/placement.ts";
import { CONTENT_KEY_BYTES } from "../file/seal.ts";
import { CHUNK_BYTES, FILE_BYTES_MAX } from "../limits.ts";
import { type Content, tombstone, type Vid } from "../version.ts";
import type { Cluster } from "./cluster.ts";
import { type Condition, shortOf } from "./decide.ts";
import { Pieces } from "./pieces.ts";
import { type Outcome, type Proposal, propose } from "./propose.ts";
import { reachToChange, silentText } from "./silent.ts";
import { sealedSource } from "./sealed_source.ts";
import type { Source } from "./source.ts";

export interface PutOptions {
  readonly layout: Layout;
  /** What the rotation x is taken from. */
  readonly placement: "name" | "content";
  readonly condition?: Condition;
  /** Told of bytes of the file that are durable on their servers. */
  readonly progress?: (bytes: number) => void;
}

export interface Stored {
  readonly vid: Vid;
  readonly seq: number;
  readonly x: number;
  readonly bytes: number;
}

/**
 * Stores a file under a name. Throws DfsError("usage") for the name, ("putFailed") when nothing was changed, ("open") when that
 * cannot be told, and ("conflict") when the condition does not hold.
 */
export async function put(
  cluster: Cluster,
  name: string,
  source: Source,
  options: PutOptions,
): Promise<Stored> {
  checkNewName(name);
  if (source.bytes > FILE_BYTES_MAX)
    throw new DfsError("usage", `${name} is larger than ${FILE_BYTES_MAX} bytes`);
  await checkLive(cluster);
  const { config, places } = cluster.view;
  const vid = cluster.ports.random.bytes(16).toHex();
  const shape = shapeOf(options.layout, places.length);
  const stored = cluster.stored(name);
  const byName = options.placement === "name";
  const turn = byName ? digestOfName(name) : await digestOfContent(cluster, source);
  const ring = ringOf(drawDigest(cluster.user, stored), shape.pieces, config, turn);
  const progress = options.progress ?? (() => {});
  const key = cluster.guard ? cluster.ports.random.bytes(CONTENT_KEY_BYTES) : null;
  const what = key ? sealedSource(source, key) : source;
  const pieces = new Pieces(cluster, stored, vid, what, shape, ring, progress);
  try {
    await pieces.send();
    await source.confirm?.();
  } catch (error) {
    throw isDfsError(error)
      ? new DfsError("putFailed", `${error.message}; nothing was changed`)
      : error;
  }
  const outcome = await propose(cluster, stored, {
    ...authored(cluster, stored, source, pieces.roots, key, {
      vid,
      deleted: false,
      ...shape,
      ring,
      size: what.bytes,
    }),
    condition: options.condition ?? null,
    supply: pieces,
  });
  const { condition } = options;
  return { ...storedAs(name, outcome, vid, condition), x: ring[0] ?? 0, bytes: source.bytes };
}

/** A version with its manifest: sealed, when it has its place in the chain, where there is a key; else in the open. */
function authored(
  cluster: Cluster,
  stored: string,
  { mode, bytes, isFolder = false, ...about }: About,
  roots: Uint8Array[],
  key: Uint8Array | null,
  content: Omit<Content, "body">,
): Pick<Proposal, "content" | "sign"> {
  const { guard } = cluster;
  const modified = timeWithin(about.modified);
  if (!guard || !key)
    return { content: { ...content, body: encodeManifest({ isFolder, modified, mode, roots }) } };
  const facts = { isFolder, modified, mode, bytes, key };
  return {
    content: { ...content, body: new Uint8Array() },
    sign: (version, ballot) => guard.sign(stored, version, ballot, roots, facts),
  };
}

/** What a manifest tells of a file or a folder. */
type About = Pick<Source, "modified" | "mode" | "bytes"> & { readonly isFolder?: boolean };

/** Makes a folder that is there without files in it: a name that ends in "/". Throws as `put`. */
export async function makeFolder(cluster: Cluster, folder: string): Promise<void> {
  const name = checkFolder(folder);
  checkNewName(name.slice(0, -1));
  await checkLive(cluster);
  const { random, clock } = cluster.ports;
  const vid = random.bytes(16).toHex();
  const stored = cluster.stored(name);
  const about = { isFolder: true, modified: clock.wall(), mode: 0o755, bytes: 0 };
  const key = cluster.guard ? new Uint8Array(CONTENT_KEY_BYTES) : null;
  const content = { ...tombstone(vid), deleted: false };
  const outcome = await propose(cluster, stored, {
    ...authored(cluster, stored, about, [], key, content),
    condition: null,
    supply: null,
  });
  storedAs(name, outcome, vid);
}

async function checkLive(cluster: Cluster): Promise<void> {
  await reachToChange(cluster);
  const short = shortOf(cluster.view.quorum, cluster.live);
  if (short)
    throw new DfsError(
      "putFailed",
      `${short.count} of ${short.of} servers answer, and a put takes ${short.takes}${silentText(cluster)}; nothing was changed`,
    );
}

function storedAs(
  name: string,
  outcome: Outcome,
  vid: Vid,
  condition?: Condition,
): { vid: Vid; seq: number } {
  switch (outcome.is) {
    case "done":
      return { vid, seq: outcome.current.seq };
    case "refused":
      throw new DfsError(
        "conflict",
        condition?.vid === null
          ? `there is a ${name} already; nothing was changed`
          : `${name} was changed by someone else meanwhile; nothing was changed`,
      );
    case "failed":
      throw new DfsError("putFailed", `${outcome.why}; nothing was changed`);
    default: {
      const why = outcome.is === "unknown" ? outcome.why : "the name was deleted";
      throw new DfsError(
        "open",
        `${why}; the outcome is open: the new version may yet become current`,
      );
    }
  }
}

/** The MD5 of the content: one more pass over it. */
async function digestOfContent(cluster: Cluster, source: Source): Promise<Uint8Array> {
  const hash = createHash("md5");
  const buffer = await cluster.window.take();
  try {
    for (let offset = 0; offset < source.bytes; offset += CHUNK_BYTES) {
      const data = buffer.subarray(0, Math.min(CHUNK_BYTES, source.bytes - offset));
      await source.read(data, offset);
      hash.update(data);
    }
  } finally {
    cluster.window.giveBack(buffer);
  }
  return hash.digest();
}
