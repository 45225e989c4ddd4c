/**
 * A stored version as the source of a put: its bytes at any offset, read in the same way as a get
 * reads them. Used by rebalance and adopt.
 */
import { assert, DfsError, isDfsError } from "../../errors.ts";
import type { Name } from "../../file/names.ts";
import type { Stream } from "../../file/seal.ts";
import { CHUNKS_IN_FLIGHT, FETCHES_REMEMBERED } from "../../limits.ts";
import type { Version } from "../../version.ts";
import type { Cluster } from "../connect/cluster.ts";
import { lookUp } from "./get.ts";
import { type Found, type Sink } from "../fetch/sink.ts";
import { openingSink, sealedRange } from "../fetch/opening_sink.ts";
import type { Source } from "../send/source.ts";
import { bytesIn, cutTo, portionsOf } from "../fetch/portions.ts";
import { VersionReader } from "../fetch/version_reader.ts";
import { inParallel } from "../connect/window.ts";

/**
 * Opens the current version of a name. Throws as `get`. The source reads this one version, in whole
 * blocks, and verifies each block. It may be read often, and at many places at once. It takes no
 * places of the window, since a put that reads it has taken places already. So a caller that reads
 * much at once needs memory for it.
 *
 * The source can be read for as long as the servers keep the version. They let go of it some time
 * after a newer version took its place. Then reads throw DfsError("conflict"), or ("noSuchName")
 * where the name was deleted; else they throw as `get`.
 */
export async function openStored(
  cluster: Cluster,
  name: Name,
): Promise<{ found: Found; version: Version; source: Source }> {
  const { found, stored, version, holders, small, stream } = await lookUp(cluster, name);
  const reader = new VersionReader(cluster, stored, version, FETCHES_REMEMBERED);
  reader.aim(holders, small);
  const source: Source = {
    bytes: found.bytes,
    // rule: attributes-go-along
    attributes: found.attributes,
    async read(into, offset) {
      assert(offset + into.length <= found.bytes, "what is read is within the file");
      // rule: reader-stays
      if (await fill(reader, name, stream, into, offset)) return;
      // A piece may have moved in the meantime, as in a get.
      const now = await lookUp(cluster, name);
      if (now.found.vid !== found.vid)
        throw new DfsError("conflict", `${name} was changed by someone else while it was read`);
      reader.aim(now.holders, now.small);
      if (!(await fill(reader, name, stream, into, offset))) throw reader.lost();
    },
  };
  return { found, version, source };
}

/** Reads bytes of a version; false when a piece cannot be found. */
async function fill(
  reader: VersionReader,
  name: string,
  stream: Stream | null,
  into: Uint8Array,
  offset: number,
): Promise<boolean> {
  const { version } = reader;
  const wanted = { offset, length: into.length };
  const copyingSink: Sink = {
    inOrder: false,
    open: async () => {},
    write: async (data, at) => into.set(data, at - offset),
  };
  const sink = stream ? openingSink(name, stream, wanted, copyingSink) : copyingSink;
  const range = stream ? cutTo(version.size, sealedRange(wanted)) : wanted;
  try {
    await inParallel(portionsOf(version, range, false), CHUNKS_IN_FLIGHT, async (portion) => {
      const chunks = await reader.read(portion);
      for (const { data, at } of bytesIn(version, portion, chunks, range))
        await sink.write(data, at);
    });
    return true;
  } catch (error) {
    if (isDfsError(error, "noPiece")) return false;
    throw error;
  }
}
