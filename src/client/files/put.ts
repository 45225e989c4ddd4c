/**
 * `put`: stores a file under a name. It sends the pieces to their servers first; the manifest, in
 * the version, follows them. The register of the name decides (docs/consistency.md section 4). Used
 * by the commands, and by rebalance and adopt.
 */
import { createHash } from "node:crypto";
import { DfsError, isDfsError } from "../../errors.ts";
import { type Attributes, attributesOf, checkAttributes, isFolder } from "../../file/attributes.ts";
import { type Layout, shapeOf } from "../../file/layout.ts";
import { encodeManifest } from "../../file/manifest.ts";
import type { NewName, StoredName } from "../../file/names.ts";
import { digestOfName, drawDigest, ringOf } from "../../file/placement.ts";
import { CONTENT_KEY_BYTES } from "../../file/seal.ts";
import { CHUNK_BYTES, FILE_BYTES_MAX } from "../../limits.ts";
import { type Content, tombstone, type Vid } from "../../version.ts";
import type { Cluster } from "../connect/cluster.ts";
import { type Condition } from "../agree/decide.ts";
import { shortOf } from "../../quorum.ts";
import { factsOf } from "./get.ts";
import { Pieces } from "../send/pieces.ts";
import { type Outcome, type Proposal, propose } from "../agree/propose.ts";
import { reachToChange, silentText } from "../connect/silent.ts";
import { sealedSource } from "../send/sealed_source.ts";
import type { Source } from "../send/source.ts";

export interface PutOptions {
  readonly layout: Layout;
  /** What the rotation is computed from. */
  readonly placement: "name" | "content";
  readonly condition?: Condition;
  /** Called with the number of bytes of the file that have just become durable on their servers. */
  readonly progress?: (bytes: number) => void;
}

export interface Stored {
  readonly vid: Vid;
  readonly seq: number;
  readonly rotation: number;
  readonly bytes: number;
}

/**
 * Stores a file under a name. Throws DfsError("usage") for a file that is too large or attributes
 * that no version can have, ("putFailed") when nothing was changed, ("open") when it cannot be told
 * whether something was changed, ("conflict") when the condition does not hold, and ("interrupted")
 * as Cluster.during says. What the source is reading then is waited for.
 */
export async function put(
  cluster: Cluster,
  name: NewName,
  source: Source,
  options: PutOptions,
): Promise<Stored> {
  checkAttributes(source.attributes);
  if (source.bytes > FILE_BYTES_MAX)
    throw new DfsError("usage", `${name} is larger than ${FILE_BYTES_MAX} bytes`);
  await checkEnoughLive(cluster);
  const { config, places } = cluster.view;
  const vid = cluster.ports.random.bytes(16).toHex();
  const shape = shapeOf(options.layout, places.length);
  const stored = cluster.space.stored(name);
  const byName = options.placement === "name";
  const rotationDigest = byName ? digestOfName(name) : await digestOfContent(cluster, source);
  const ring = ringOf(drawDigest(cluster.space.user, stored), shape.pieces, config, rotationDigest);
  const progress = options.progress ?? (() => {});
  const key = cluster.space.guard ? cluster.ports.random.bytes(CONTENT_KEY_BYTES) : null;
  const toStore = key ? sealedSource(source, key) : source;
  const pieces = new Pieces(cluster, stored, vid, toStore, shape, ring, progress);
  const { condition } = options;
  let outcome: Outcome | null = null;
  try {
    await sendOrFail(pieces, source);
    outcome = await propose(cluster, stored, {
      ...withManifest(cluster, stored, source, pieces.roots, key, {
        vid,
        deleted: false,
        cid: vid,
        ...shape,
        ring,
        at: [],
        size: toStore.bytes,
      }),
      condition: condition ?? null,
      supply: pieces,
    });
  } finally {
    if (outcome?.is !== "done") pieces.giveUp();
  }
  return {
    ...storedOrThrow(name, outcome, vid, condition),
    rotation: ring[0] ?? 0,
    bytes: source.bytes,
  };
}

async function sendOrFail(pieces: Pieces, source: Source): Promise<void> {
  try {
    await pieces.send();
    await source.confirm?.();
  } catch (error) {
    throw isDfsError(error)
      ? new DfsError("putFailed", `${error.message}; nothing was changed`)
      : error;
  }
}

/**
 * The content of a version with its manifest. With a key, the manifest is sealed once the version
 * has its place in the chain; without one it is in the open.
 */
export function withManifest(
  cluster: Cluster,
  stored: StoredName,
  { attributes, bytes }: Pick<Source, "attributes" | "bytes">,
  roots: Uint8Array[],
  key: Uint8Array | null,
  content: Omit<Content, "body">,
): Pick<Proposal, "content" | "sign"> {
  const { guard } = cluster.space;
  if (!guard || !key)
    return { content: { ...content, body: encodeManifest({ attributes, roots }) } };
  const facts = { bytes, key, attributes };
  return {
    content: { ...content, body: new Uint8Array() },
    sign: (version, ballot) => guard.sign(stored, version, ballot, roots, facts),
  };
}

/**
 * Makes a folder that exists without files in it: a name that ends in "/". It has these attributes,
 * and that it is a folder. One that is there stays as it is. Throws as `put`, and
 * DfsError("conflict") where the name is that of a file.
 */
export async function makeFolder(
  cluster: Cluster,
  name: NewName,
  about: Attributes,
): Promise<void> {
  const attributes = checkAttributes(attributesOf({ kind: "folder" }, about));
  await checkEnoughLive(cluster);
  const vid = cluster.ports.random.bytes(16).toHex();
  const stored = cluster.space.stored(name);
  const key = cluster.space.guard ? new Uint8Array(CONTENT_KEY_BYTES) : null;
  const content = { ...tombstone(vid), deleted: false };
  const outcome = await propose(cluster, stored, {
    ...withManifest(cluster, stored, { attributes, bytes: 0 }, [], key, content),
    condition: { vid: null },
    supply: null,
  });
  const there = outcome.is === "refused" ? outcome.current : null;
  if (there && isFolder(factsOf(cluster, name, stored, there).attributes)) return;
  storedOrThrow(name, outcome, vid, { vid: null });
}

/** Throws DfsError("putFailed") where too few servers answer for a put. */
export async function checkEnoughLive(cluster: Cluster): Promise<void> {
  await reachToChange(cluster);
  const short = shortOf(cluster.view.quorum, cluster.live);
  if (short)
    throw new DfsError(
      "putFailed",
      `${short.count} of ${short.of} servers answer, and a put takes ${short.takes}${silentText(cluster)}; nothing was changed`,
    );
}

/** The version that was put. Throws as `put` where the proposal ended in another way. */
export function storedOrThrow(
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

/** The MD5 of the content. It takes one more pass over the content. */
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
