/**
 * Golden stores: folders of servers as an earlier program left them, each packed into one file, and
 * beside it what must be read back from them. Written by make.ts, and opened by
 * test/acceptance/golden.test.ts.
 */
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { newFolder } from "../harness/program.ts";

/** A file as it must come back. */
export interface GoldenFile {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
  /** Of the file that was put: its time as ISO 8601, and its permission bits. */
  readonly modified: string;
  readonly mode: number;
  readonly layout: string;
  /** Which version it is, and the how manyth of its name. */
  readonly version: string;
  readonly seq: number;
}

/** What one user has. The user of a store without users is "". */
export interface GoldenSpace {
  readonly user: string;
  readonly password: string;
  readonly files: readonly GoldenFile[];
  /** Folders that were made by hand. */
  readonly folders: readonly string[];
  /** Names that must not be there: they were deleted, or never put. */
  readonly absent: readonly string[];
}

export interface Golden {
  /** The format of the folders, and the commit whose program made them. */
  readonly format: number;
  readonly commit: string;
  /** The operator comes first. */
  readonly spaces: readonly GoldenSpace[];
  /** Files of before there were users, which `adopt` takes over. */
  readonly open: readonly GoldenFile[];
}

/** The files of a store below its folder: their bytes in Base64, by their paths. */
type Packed = Readonly<Record<string, string>>;

const LEVEL = 19;
const pathOf = (store: string, end: string): string => join(import.meta.dir, `${store}.${end}`);

/** Packs all that is below a folder, under the name of a store; and what must be read back. */
export function pack(store: string, folder: string, golden: Golden): void {
  const paths = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => statSync(join(folder, path)).isFile())
    .toSorted();
  const packed: Packed = Object.fromEntries(
    paths.map((path) => [path, readFileSync(join(folder, path)).toString("base64")]),
  );
  const bytes = Bun.zstdCompressSync(JSON.stringify(packed), { level: LEVEL });
  writeFileSync(pathOf(store, "zst"), bytes);
  writeFileSync(pathOf(store, "json"), `${JSON.stringify(golden, null, 2)}\n`);
}

/** Unpacks a store into a new folder, which is returned. The folders of its servers are in it. */
export function unpack(store: string): string {
  const folder = newFolder();
  const text = Bun.zstdDecompressSync(readFileSync(pathOf(store, "zst"))).toString();
  for (const [path, data] of Object.entries(JSON.parse(text) as Packed)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true, mode: 0o700 });
    writeFileSync(join(folder, path), Buffer.from(data, "base64"), { mode: 0o600 });
  }
  return folder;
}

/** What must be read back from a store. */
export const goldenOf = (store: string): Golden =>
  JSON.parse(readFileSync(pathOf(store, "json"), "utf8")) as Golden;

/** The stores of one kind, of all formats. */
export const storesOf = (kind: "open" | "users" | "killed"): string[] =>
  readdirSync(import.meta.dir)
    .filter((name) => name.endsWith(`-${kind}.json`))
    .map((name) => name.replace(/\.json$/, ""))
    .toSorted();
