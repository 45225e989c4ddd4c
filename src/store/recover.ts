/**
 * Opens a server's folder, and recovers it after a crash, at each start (README.md). Used by
 * store.ts and identity.ts.
 */
import type { Database } from "bun:sqlite";
import { asDfsError, DfsError, isDfsError } from "../errors.ts";
import type { Disk } from "../io/ports.ts";
import { replaceDurably } from "../io/replace_durably.ts";
import type { FolderPaths } from "./pieces/folder_paths.ts";
import type { Catalog } from "./catalog/catalog.ts";
import type { Holds } from "./pieces/holds.ts";
import { readFooter } from "./pieces/piece_file.ts";

export const STORE_FORMAT = 3;

/** What format.json says. */
export interface Format {
  readonly format: number;
  readonly sid: string;
}

/**
 * Makes or opens the folder: its database, held by nobody else, of a format that is known; and how
 * long the catalog's log was. Throws DfsError("folder").
 */
export async function openFolder(
  disk: Disk,
  paths: FolderPaths,
): Promise<{ database: Database; format: Format | null; logBytes: number }> {
  for (const path of [paths.folder, paths.catalogFolder, paths.temporary])
    await disk.makeFolder(path);
  const format = await readFormat(disk, paths.format);
  const logBytes = (await disk.stat(`${paths.catalog}-wal`))?.bytes ?? 0;
  return { database: await openDatabase(disk, paths), format, logBytes };
}

/** Opens the database and takes the lock that lasts as long as the process. */
async function openDatabase(disk: Disk, paths: FolderPaths): Promise<Database> {
  try {
    return orFolderError(paths, () => {
      const database = disk.database(paths.catalog);
      try {
        database.run("PRAGMA locking_mode=EXCLUSIVE");
        database.run("BEGIN IMMEDIATE");
        database.run("COMMIT");
        return database;
      } catch (error) {
        database.close();
        throw error;
      }
    });
  } catch (error) {
    await checkWritable(disk, paths);
    throw error;
  }
}

/**
 * SQLite says no more of a disk that is read-only than that there was an error: the disk itself
 * says what it is.
 */
async function checkWritable(disk: Disk, { catalogFolder }: FolderPaths): Promise<void> {
  const probe = `${catalogFolder}/probe`;
  try {
    await disk.remove(probe);
    await (await disk.open(probe, "create")).close();
    await disk.remove(probe);
  } catch (error) {
    if (!isDfsError(error)) throw error;
    throw new DfsError("folder", `this server cannot write to its folder: ${error.message}`);
  }
}

/** What SQLite throws becomes a line for the user. */
export function orFolderError<T>(paths: FolderPaths, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (isDfsError(error)) throw new DfsError(error.code, `${paths.folder}: ${error.message}`);
    const { message } = asDfsError(error);
    if (message.includes("locked"))
      throw new DfsError("folder", `${paths.folder} is in use by another dfs-tool server`);
    throw new DfsError("folder", `${paths.catalog} cannot be opened: ${message}`);
  }
}

async function readFormat(disk: Disk, path: string): Promise<Format | null> {
  const info = await disk.stat(path);
  if (!info) return null;
  const bytes = new Uint8Array(info.bytes);
  const file = await disk.open(path, "read");
  try {
    await file.read(bytes, 0);
  } finally {
    await file.close();
  }
  const format = parseFormat(new TextDecoder().decode(bytes));
  if (!format)
    throw new DfsError(
      "folder",
      `${path} does not read: bring it back; where it is lost, keep this folder aside, and see with dfs-tool status whether the other servers can do without it`,
    );
  if (format.format > STORE_FORMAT)
    throw new DfsError(
      "folder",
      `${path}: format ${format.format} is newer than this dfs-tool knows: upgrade it`,
    );
  return format;
}

function parseFormat(json: string): Format | null {
  try {
    const value = JSON.parse(json) as Partial<Format> | null;
    const sid = value?.sid;
    if (typeof value?.format !== "number" || typeof sid !== "string" || !/^[0-9a-f]{32}$/.test(sid))
      return null;
    return { format: value.format, sid };
  } catch {
    return null;
  }
}

/**
 * A new folder is durable once all folders above it know of it; one that may not be read was there
 * before.
 */
async function syncAbove(disk: Disk, folder: string): Promise<void> {
  const depth = folder.split("/").length;
  for (let i = 1; i <= depth; i++)
    await disk.syncFolder(`${folder}${"/..".repeat(i)}`).catch(() => {});
}

/** Writes format.json, durably. */
export async function writeFormat(disk: Disk, paths: FolderPaths, format: Format): Promise<void> {
  const { catalogFolder, folder } = paths;
  const json = new TextEncoder().encode(JSON.stringify(format));
  await replaceDurably(disk, catalogFolder, paths.format, json);
  await syncAbove(disk, catalogFolder);
  await disk.syncFolder(folder);
  await syncAbove(disk, folder);
}

/**
 * After a crash: temporary files go; a piece's file that the catalog does not know is made durable
 * and adopted as one that no name holds; a row whose file is gone is dropped, with all holdings of
 * it.
 */
export async function recoverPieces(
  disk: Disk,
  paths: FolderPaths,
  catalog: Catalog,
  holds: Holds,
): Promise<void> {
  for (const name of await disk.list(paths.temporary))
    await disk.remove(`${paths.temporary}/${name}`);
  const found = new Set<string>();
  let isStrange = false;
  for (const prefix of await disk.list(paths.pieces)) {
    if (!/^[0-9a-f]{2}$/.test(prefix)) continue;
    paths.folders.add(`${paths.pieces}/${prefix}`);
    for (const name of await disk.list(`${paths.pieces}/${prefix}`)) {
      found.add(name);
      const path = `${paths.pieces}/${prefix}/${name}`;
      if (await adopt(disk, path, name, catalog, holds)) isStrange = true;
    }
  }
  for (const path of paths.folders) await disk.syncFolder(path);
  await disk.syncFolder(paths.pieces);
  const lost = [...catalog.contents.files()].filter(
    ({ cid, piece }) => !found.has(`${cid}.${piece}`),
  );
  await catalog.write(isStrange || lost.length > 0, () => {
    for (const { cid, piece } of lost) catalog.dropPiece(cid, piece);
    catalog.check.endStart(isStrange);
  });
}

/** What the file of a piece is called. */
const PIECE_FILE = /^[0-9a-f]{32}\.\d{1,2}$/;

/** Adopts a file that the catalog does not know. Returns whether there was one to look at. */
async function adopt(
  disk: Disk,
  path: string,
  file: string,
  catalog: Catalog,
  holds: Holds,
): Promise<boolean> {
  const [id = "", number = ""] = file.split(".");
  if (!PIECE_FILE.test(file)) return false;
  const known = catalog.contents.get(id, Number(number));
  // The crash cut short an upload of a piece that the catalog has itself: nothing needs this file.
  if (known && known.data !== null && known.bad === 0) await disk.remove(path);
  if (known) return false;
  const info = await disk.stat(path);
  if (!info || info.isFolder) return false;
  const footer = await footerOf(disk, path, info.bytes);
  // Not durable before the crash, so never acknowledged; or rotten where it says what it is, so
  // good for nothing.
  if (footer === null) await disk.remove(path);
  if (footer === null) return true;
  const { space, slot, cid, piece, bytes, root, name } = footer;
  if (file !== `${cid}.${piece}`) return true;
  const isHeld = catalog.holdings.isHeld(cid, piece);
  // One table knows it, and the other does not: an index may be broken, and it would be there
  // twice.
  if (isHeld && catalog.contents.isHidden(cid, piece)) catalog.check.mend();
  if (catalog.contents.get(cid, piece)) return true;
  const row = { space, slot, cid, piece, bytes, root, data: null, created: info.modified };
  await catalog.write(false, () => {
    // Before there were contents, a file counted without its row, for the name that it has.
    if (name !== null) holds.arrived({ space, name, vid: cid, cid, piece }, { ...row, idle: null });
    else catalog.contents.put({ ...row, idle: isHeld ? null : info.modified });
  });
  return true;
}

/** What a piece's file says it is, durably; null when it does not say, or says it wrongly. */
async function footerOf(disk: Disk, path: string, bytes: number) {
  const file = await disk.open(path, "read");
  try {
    const footer = await readFooter(file, bytes);
    await file.sync();
    return footer;
  } catch (error) {
    if (isDfsError(error, "badPiece")) return null;
    throw error;
  } finally {
    await file.close();
  }
}
