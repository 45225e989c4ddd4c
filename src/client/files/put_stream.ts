/**
 * `putStream`: stores a stream under a name in one pass, whatever its length. Nothing of it is kept
 * but a few stripes. A stream of at most one stripe is put as any file. Used by the commands.
 */
import { DfsError } from "../../errors.ts";
import { checkAttributes, NO_ATTRIBUTES } from "../../file/attributes.ts";
import { type Shape, shapeOf } from "../../file/layout.ts";
import { encodeManifest } from "../../file/manifest.ts";
import type { NewName } from "../../file/names.ts";
import { digestOfName, drawDigest, ringOf } from "../../file/placement.ts";
import { CONTENT_KEY_BYTES } from "../../file/seal.ts";
import { hasParity, stripeBytes } from "../../file/split.ts";
import { childOf, type Content } from "../../version.ts";
import { type Outcome, propose } from "../agree/propose.ts";
import type { Cluster } from "../connect/cluster.ts";
import { type ByteStream, StreamReader } from "../send/byte_stream.ts";
import type { HeldBySlot } from "../send/copies.ts";
import type { Target } from "../send/deliver.ts";
import { LinkedPieces } from "../send/linked_pieces.ts";
import { SealedStream } from "../send/sealed_stream.ts";
import { inMemory } from "../send/source.ts";
import { StreamPieces } from "../send/stream_pieces.ts";
import {
  checkEnoughLive,
  put,
  type PutOptions,
  type Stored,
  storedOrThrow,
  withManifest,
} from "./put.ts";

/**
 * Stores a stream under a name. It is placed by the name, for its content is not known when it
 * begins. Throws as `put`, and what the stream throws; then nothing was changed.
 */
export async function putStream(
  cluster: Cluster,
  name: NewName,
  { bytes, attributes }: ByteStream,
  options: Omit<PutOptions, "placement">,
): Promise<Stored> {
  const reader = new StreamReader(bytes);
  try {
    checkAttributes(attributes);
    await checkEnoughLive(cluster);
    // The servers may change while the stream comes. Shape and ring are of the same ones.
    const { config, places } = cluster.view;
    const shape = { ...shapeOf(options.layout, places.length), striped: true };
    const digest = drawDigest(cluster.space.user, cluster.space.stored(name));
    const ring = ringOf(digest, shape.pieces, config, digestOfName(name));
    const first = new Uint8Array(stripeBytes(shape));
    const length = await reader.readInto(first);
    if (length < first.length) {
      const source = inMemory(first.subarray(0, length), attributes);
      return await put(cluster, name, source, { ...options, placement: "name" });
    }
    reader.unread(first);
    return await putStripes(cluster, name, reader, { attributes, shape, ring, options });
  } finally {
    await reader.close();
  }
}

/** Puts a stream of more than one stripe. */
async function putStripes(
  cluster: Cluster,
  name: NewName,
  reader: StreamReader,
  {
    attributes,
    shape,
    ring,
    options,
  }: Pick<ByteStream, "attributes"> & {
    readonly shape: Shape;
    readonly ring: number[];
    readonly options: Omit<PutOptions, "placement">;
  },
): Promise<Stored> {
  const vid = cluster.ports.random.bytes(16).toHex();
  const stored = cluster.space.stored(name);
  const key = cluster.space.guard ? cluster.ports.random.bytes(CONTENT_KEY_BYTES) : null;
  const target = { name: stored, vid };
  const pieces = new StreamPieces(cluster, target, shape, ring, options.progress ?? (() => {}));
  await pieces.send(key ? new SealedStream(reader, key) : reader);
  const { size, roots } = pieces;
  const content = { vid, deleted: false, cid: vid, ...shape, ring, at: [], size };
  const facts = { attributes, bytes: reader.bytes };
  const { condition } = options;
  let outcome: Outcome | null = null;
  try {
    const supply = await supplyOf(cluster, target, content, pieces);
    outcome = await propose(cluster, stored, {
      ...withManifest(cluster, stored, facts, roots, key, content),
      condition: condition ?? null,
      supply,
    });
  } finally {
    if (outcome?.is !== "done") pieces.giveUp();
  }
  return {
    ...storedOrThrow(name, outcome, vid, condition),
    rotation: ring[0] ?? 0,
    bytes: reader.bytes,
  };
}

/**
 * The pieces as servers have them. Those that are short of copies, since a server was lost on the
 * way, are copied from the others, or rebuilt. Throws DfsError("putFailed") where they cannot be.
 */
async function supplyOf(
  cluster: Cluster,
  target: Target,
  content: Omit<Content, "body">,
  { roots, holders }: Pick<StreamPieces, "roots" | "holders">,
): Promise<LinkedPieces> {
  // What is read of it here is which pieces it has, and their roots.
  const body = encodeManifest({ attributes: NO_ATTRIBUTES, roots });
  const version = childOf({ parent: null, floor: 0n, now: 0, last: 0 }, { ...content, body });
  const supply = new LinkedPieces(cluster, target, version, holders);
  const held = heldBySlot(holders);
  const isCovered = supply.isWhole(held) || (await supply.cover(held)) || hasParity(content);
  if (!isCovered)
    throw new DfsError("putFailed", `${await supply.shortage()}; nothing was changed`);
  return supply;
}

/** Which pieces each server has, given the servers that have each piece. */
function heldBySlot(holders: readonly (readonly number[])[]): HeldBySlot {
  const held = new Map<number, number[]>();
  for (const [piece, slots] of holders.entries())
    for (const slot of slots) held.set(slot, [...(held.get(slot) ?? []), piece]);
  return held;
}
