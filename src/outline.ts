/**
 * Outlines: what a list has of the versions in a register. A server cuts them out of the bytes of
 * the register. Used by wire, server and client.
 */
import { bool, struct, u53, u8, type Value } from "./bytes.ts";
import { MANIFEST_BYTES } from "./limits.ts";
import {
  ANCESTOR_BYTES,
  ballotCodec,
  type Cid,
  NO_CONTENT,
  pairCodec,
  vidCodec,
} from "./version.ts";

const outlineCodec = struct({
  ballot: ballotCodec,
  vid: vidCodec,
  put: u53,
  deleted: bool,
  pieces: u8,
  needed: u8,
  striped: bool,
  size: u53,
});
/**
 * What a list has of a version. It is enough to decide which version is current, and not enough to
 * read it.
 */
export type Outline = Value<typeof outlineCodec>;

/** What a list has of a register. */
export const outlinesCodec = pairCodec(outlineCodec);
/**
 * Twice a ballot, a vid, a time, four bytes and a size; and three flags that say which of it is
 * there.
 */
export const OUTLINES_BYTES = 2 * (16 + 16 + 8 + 4 + 8) + 3;

/** Two bodies at most, and what stands beside them. */
export const VALUES_BYTES = 2 * (MANIFEST_BYTES + 2048);

/** The bytes of `valuesCodec` for a register: those of the register after the promise. */
export const cutValues = (register: Uint8Array): Uint8Array => register.subarray(16);

const cutting = new Uint8Array(OUTLINES_BYTES);

/**
 * The bytes of `outlinesCodec` for a register, cut out of the bytes of the register; and the
 * contents of the versions in them: of `acc`, then of `com` where that is another one. A list reads
 * very many registers. To decode them and to encode the outlines would take longer than all the
 * rest.
 */
export function cutOutlines(register: Uint8Array): { bytes: Uint8Array; cids: (Cid | null)[] } {
  const cids: (Cid | null)[] = [];
  const text = Buffer.from(register.buffer, register.byteOffset, register.length);
  // Skips the promise.
  let from = 16;
  let to = 0;
  const copy = (count: number): number => {
    for (const end = from + count; from < end; from++) cutting[to++] = register[from] as number;
    return cutting[to - 1] as number;
  };
  const skipCounted = (unit: number): void => {
    let count = 0;
    for (let i = 0; i < 4; i++) count = count * 256 + (register[from + i] as number);
    from += 4 + unit * count;
  };
  const copyOptional = (): void => {
    if (copy(1) === 0) return;
    copy(16 + 16);
    from += 8;
    skipCounted(ANCESTOR_BYTES);
    from += 16;
    copy(8);
    from += 4;
    copy(1);
    const cid = text.toString("hex", from, from + 16);
    cids.push(cid === NO_CONTENT ? null : cid);
    from += 16;
    copy(2);
    from += 1;
    copy(1);
    skipCounted(2);
    skipCounted(3);
    copy(8);
    skipCounted(1);
  };
  copyOptional();
  if (copy(1) === 0) copyOptional();
  return { bytes: cutting.slice(0, to), cids };
}
