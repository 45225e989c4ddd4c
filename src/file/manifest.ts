/**
 * The manifest, in the body of a version: what only the client needs to turn pieces into a file
 * again. This is the format that is not sealed; see README.md. Used by the client.
 */
import { bool, decode, encode, fixed, list, struct, u32, u53, u8, type Value } from "../bytes.ts";
import { DfsError, isDfsError } from "../errors.ts";
import { PIECES_MAX, TIME_MS_MAX } from "../limits.ts";
import type { Version } from "../version.ts";
import { ROOT_BYTES } from "./checksum.ts";
import { isSealed, rootsInSealed } from "./sealed_manifest.ts";
import { pieceBytes } from "./split.ts";

const MANIFEST_FORMAT = 1;

export const manifestCodec = struct({
  format: u8,
  /** Is it a folder that was made by hand? Its name ends in "/", and it has no pieces. */
  isFolder: bool,
  /** Milliseconds since 1970, of the file that was put; for display only. */
  modified: u53,
  /** Permission bits of the file that was put. */
  mode: u32,
  /** The root of each piece. */
  roots: list(fixed(ROOT_BYTES), PIECES_MAX),
});
export type Manifest = Value<typeof manifestCodec>;

/**
 * The time of a file as a manifest has it. A time before 1970, or later than any date, becomes the
 * nearest time that fits.
 */
export const storableTime = (ms: number): number =>
  Math.min(Math.max(Math.floor(ms), 0), TIME_MS_MAX);

/** The bytes of a manifest. */
export const encodeManifest = (manifest: Omit<Manifest, "format">): Uint8Array =>
  encode(manifestCodec, { ...manifest, format: MANIFEST_FORMAT });

/**
 * The manifest of a version that is neither deleted nor sealed. Throws DfsError("integrity") where
 * it contradicts itself, or is sealed.
 */
export function manifestOf(name: string, version: Version): Manifest {
  if (isSealed(version.body))
    throw new DfsError("integrity", `${name} is sealed: it takes its user's password to read it`);
  return checkedManifest(name, version, () => {
    const manifest = decode(manifestCodec, version.body);
    return manifest.format === MANIFEST_FORMAT ? manifest : null;
  });
}

/**
 * The root of each piece of a version that is not deleted; it may be sealed. Throws as
 * `manifestOf`.
 */
export const rootsOf = (name: string, version: Version): Uint8Array[] =>
  isSealed(version.body)
    ? checkedManifest(name, version, () => ({ roots: rootsInSealed(version.body) })).roots
    : manifestOf(name, version).roots;

function checkedManifest<T extends Pick<Manifest, "roots">>(
  name: string,
  version: Version,
  read: () => T | null,
): T {
  try {
    const manifest = read();
    if (manifest && fits(manifest, version)) return manifest;
  } catch (error) {
    if (!isDfsError(error)) throw error;
  }
  throw new DfsError(
    "integrity",
    `${name}: its manifest does not read; was it put by a newer dfs-tool?`,
  );
}

/** Has each piece one root and one server, and are there enough pieces for the bytes? */
const fits = (
  { roots }: Pick<Manifest, "roots">,
  { pieces, needed, ring, size }: Version,
): boolean =>
  roots.length === pieces &&
  ring.length === pieces &&
  needed <= pieces &&
  (needed > 0 || size === 0);

/** The lengths of all pieces of a version. */
export const pieceLengths = (version: Version): number[] =>
  Array.from({ length: version.pieces }, (_, i) => pieceBytes(version, i));
