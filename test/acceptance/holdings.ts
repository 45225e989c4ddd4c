/** What servers hold, to tell whether anything of it has changed: their files, and the rows of their catalogs. */
import { Database } from "bun:sqlite";
import { copyFileSync, existsSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { newFolder } from "../harness/program.ts";
import type { ServerProcess } from "../harness/stage.ts";

const CATALOG = "catalog.sqlite";

/** The same for the same holdings. */
export const holdingsOf = (servers: readonly Pick<ServerProcess, "folder">[]): unknown =>
  servers.map(({ folder }) => ({ files: filesIn(folder), rows: rowsIn(folder) }));

const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => !basename(path).startsWith(CATALOG))
    .toSorted();

/** The server has its catalog for itself: a copy of it and of what is not written back yet is as good. */
function rowsIn(folder: string): unknown {
  const copy = join(newFolder(), CATALOG);
  for (const end of ["", "-wal"])
    if (existsSync(join(folder, CATALOG + end)))
      copyFileSync(join(folder, CATALOG + end), copy + end);
  using db = new Database(copy);
  const all = (sql: string): unknown[] => db.query(sql).all();
  return [
    all("SELECT * FROM fact ORDER BY key"),
    all("SELECT * FROM register ORDER BY space, name"),
    // Servers read back what they hold in their own time, and note when.
    all("SELECT cid, piece, space, slot, bytes, root, data, bad FROM content ORDER BY 1, 2"),
    all("SELECT * FROM holding ORDER BY 1, 2, 3, 4"),
    all("SELECT space, name, vid, cid FROM entry ORDER BY 1, 2, 3"),
  ];
}
