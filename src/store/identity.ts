/**
 * Who a server is: its id, which is for as long as its folder has forgotten nothing, and whether the folder is what the server left
 * (README.md, "At each start"). Used where a folder is opened.
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
 * What a folder turned out to be. "new": it was empty. "copy": of one that was stopped in order; it counts once others know of it.
 * "torn": a copy of one that was not, which goes on as another server.
 */
export type Origin = "usual" | "new" | "copy" | "torn";

export interface Identity {
  readonly sid: string;
  readonly origin: Origin;
  /** The id that its folder had, where it is torn. */
  readonly was: string | null;
}

/**
 * Throws DfsError("folder") where the log of a server that was not stopped in order is gone. `logBytes`: of the log as it lay there
 * before anything was opened. Asked before anything is written, for a start that is refused must leave no new log.
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
 * The server's id. It lives in the catalog, so that whoever loses the promises in there loses the id with them; format.json repeats it
 * for people. Begins the server's next life. Throws DfsError("folder") where the catalog is gone.
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
  // What an older program left does not tell whether it was stopped in order.
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
  // That it is in use must be known without the log.
  catalog.checkpoint();
  if (format?.sid !== sid || format.format !== STORE_FORMAT)
    await writeFormat(ports.disk, paths, { format: STORE_FORMAT, sid });
  const origin = isTorn ? "torn" : isCopy ? "copy" : known === undefined ? "new" : "usual";
  return { sid, origin, was };
}

const BRING_BACK =
  "bring it back; where it is lost, keep this folder aside, and see with dfs-tool status whether the other servers can do without it";
