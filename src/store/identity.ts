/**
 * Who a server is. Its id stays the same as long as its folder has forgotten nothing; this file
 * finds out whether the folder is what the server left (README.md, "At each start"). Used by
 * store.ts when it opens a folder.
 */
import type { Database } from "bun:sqlite";
import { DfsError } from "../errors.ts";
import type { Disk, Random } from "../io/ports.ts";
import { MARK_BYTES } from "../life.ts";
import type { Catalog } from "./catalog/catalog.ts";
import { beginLife } from "./lives.ts";
import { type Format, STORE_FORMAT, writeFormat } from "./recover.ts";
import { type FolderPaths } from "./pieces/folder_paths.ts";

/**
 * What kind of folder was found.
 * - "new": it was empty.
 * - "copy": a copy of a folder whose server was stopped in order. It counts once other servers know
 *   of it.
 * - "torn": a copy of a folder whose server was not stopped in order. It goes on as another server.
 * - "usual": none of these.
 */
export type Origin = "usual" | "new" | "copy" | "torn";

export interface Identity {
  readonly sid: string;
  readonly origin: Origin;
  /** The id that the folder had before, if it is torn. */
  readonly was: string | null;
}

/**
 * Throws DfsError("folder") if a server was not stopped in order and its log is gone. `logBytes` is
 * the length of the log before anything was opened. Must be called before anything is written: a
 * refused start must leave no new log.
 */
export function checkLog(database: Database, logBytes: number): void {
  // rule: lost-log-is-refused
  if (logBytes > 0) return;
  const holds = (what: string): boolean => database.query(`SELECT 1 FROM ${what}`).get() !== null;
  if (!holds("sqlite_master WHERE name = 'fact'") || !holds("fact WHERE key = 'inUse'")) return;
  throw new DfsError(
    "folder",
    `catalog.sqlite-wal, the log of the last run, is gone, and with it what was acknowledged last: ${BRING_BACK}`,
  );
}

/**
 * Reads or makes the server's id, and begins the server's next life. The id is in the catalog, so
 * that a server that loses the promises there loses its id with them. format.json repeats the id
 * for people. Throws DfsError("folder") if the catalog is gone.
 */
export async function openIdentity(
  ports: { random: Random; disk: Disk },
  paths: FolderPaths,
  catalog: Catalog,
  format: Format | null,
): Promise<Identity> {
  const known = catalog.fact("sid")?.toHex();
  if (known === undefined && format)
    throw new DfsError("folder", `${paths.catalog} has been lost: ${BRING_BACK}`);
  const wasInUse = catalog.fact("inUse") !== null;
  const born = (await ports.disk.stat(paths.catalog))?.born ?? null;
  const original = catalog.fact("born");
  const isCopy = original !== null && born !== null && new TextDecoder().decode(original) !== born;
  // A folder of an older program does not tell whether its server was stopped in order.
  const isTorn = isCopy && (wasInUse || catalog.fact("life") === null);
  const was = isTorn ? (known ?? null) : (catalog.fact("was")?.toHex() ?? null);
  const isNew = known === undefined || isTorn;
  const sid = isNew ? /* rule: lost-data-new-id */ ports.random.bytes(16).toHex() : known;
  const mark = ports.random.bytes(MARK_BYTES);
  await catalog.write(true, () => {
    catalog.setFact("sid", Uint8Array.fromHex(sid));
    if (born !== null) catalog.setFact("born", new TextEncoder().encode(born));
    if (isTorn && known !== undefined) catalog.setFact("was", Uint8Array.fromHex(known));
    if (isCopy && !isTorn) catalog.setFact("copy", new Uint8Array());
    if (isTorn) catalog.dropFact("copy");
    catalog.setFact("inUse", new Uint8Array());
    beginLife(catalog, mark);
  });
  // The fact "inUse" must be in the database file itself, for the log may be lost.
  catalog.checkpoint();
  if (format?.sid !== sid || format.format !== STORE_FORMAT)
    await writeFormat(ports.disk, paths, { format: STORE_FORMAT, sid });
  const origin = isTorn ? "torn" : isCopy ? "copy" : known === undefined ? "new" : "usual";
  return { sid, origin, was };
}

const BRING_BACK =
  "bring it back; where it is lost, keep this folder aside, and see with dfs-tool status whether the other servers can do without it";
