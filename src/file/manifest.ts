/**
 * The manifest, in the body of a version: what only the client needs to turn pieces into a file
 * again. This is the format that is not sealed; see README.md. Used by the client.
 */
import { bool, decode, encode, fixed, list, struct, u32, u53, u8 } from "../bytes.ts";
import { DfsError, isDfsError } from "../errors.ts";
import { PIECES_MAX } from "../limits.ts";
import type { Version } from "../version.ts";
import { type Attributes, attributesBefore, attributesCodec } from "./attributes.ts";
import { ROOT_BYTES } from "./checksum.ts";
import { isSealed, rootsInSealed } from "./sealed_manifest.ts";
import { pieceBytes } from "./split.ts";

export interface Manifest {
  readonly attributes: Attributes;
  /** The root of each piece. */
  readonly roots: Uint8Array[];
}

const rootsCodec = list(fixed(ROOT_BYTES), PIECES_MAX);

const FORMAT = 3;
const manifestCodec = struct({ format: u8, attributes: attributesCodec, roots: rootsCodec });

/** The format from before there were attributes. No version gets it any more. */
const FORMAT_BEFORE = 1;
const codecBefore = struct({
  format: u8,
  isFolder: bool,
  modified: u53,
  mode: u32,
  roots: rootsCodec,
});

/** The bytes of a manifest. */
export const encodeManifest = ({ attributes, roots }: Manifest): Uint8Array =>
  encode(manifestCodec, { format: FORMAT, attributes, roots });

/** The manifest in such bytes, or in those of the format before; null for another format. */
function readManifest(body: Uint8Array): Manifest | null {
  switch (body[0]) {
    case FORMAT: {
      const { attributes, roots } = decode(manifestCodec, body);
      return { attributes, roots };
    }
    case FORMAT_BEFORE: {
      const { roots, ...before } = decode(codecBefore, body);
      return { attributes: attributesBefore(before), roots };
    }
    default:
      return null;
  }
}

/**
 * The manifest of a version that is neither deleted nor sealed. Throws DfsError("integrity") where
 * it contradicts itself, or is sealed.
 */
export function manifestOf(name: string, version: Version): Manifest {
  if (isSealed(version.body))
    throw new DfsError("integrity", `${name} is sealed: it takes its user's password to read it`);
  return checkedManifest(name, version, () => readManifest(version.body));
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
