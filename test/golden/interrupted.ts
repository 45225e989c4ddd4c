/**
 * What a client or a server that was interrupted leaves in the folders of servers. Each change is
 * one that a crash at the right moment makes. The servers must not run. Used by make.ts.
 */
import { inStore } from "../harness/named.ts";
import { Database } from "bun:sqlite";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { decode, encode } from "../../src/bytes.ts";
import { rowSum } from "../../src/store/catalog/row_sum.ts";
import { type Register, registerCodec } from "../../src/version.ts";
import { Folder, pattern, upload } from "../harness/folder.ts";

interface Row {
  readonly space: string;
  readonly name: string;
  readonly row: Uint8Array;
}

/** The register that has accepted this version. */
function registerWith(folder: string, version: string) {
  using db = new Database(join(folder, "catalog.sqlite"));
  for (const { space, name, row } of db.query<Row, []>("SELECT * FROM register").all()) {
    const register = decode(registerCodec, row);
    if (register.acc?.version.vid === version) return { space, name, register };
  }
  throw new Error(`${folder} has no version ${version}`);
}

/** Changes the register that has accepted this version. */
function change(folder: string, version: string, by: (was: Register) => Register): void {
  const { space, name, register } = registerWith(folder, version);
  const row = encode(registerCodec, by(register));
  using db = new Database(join(folder, "catalog.sqlite"));
  db.query("UPDATE register SET row = ?, sum = ? WHERE space = ? AND name = ?").run(
    row,
    rowSum(space, name, row).slice(),
    space,
    name,
  );
}

/** Accepted by the server, which was never told that it is chosen: its client died. */
export function forgetCommits(folder: string, version: string): void {
  change(folder, version, (was) => ({ ...was, com: null }));
}

/**
 * Accepted by the server, which was told only that the version before it is chosen. `behind` is the
 * folder of a server that missed the later one.
 */
export function overtake(folder: string, behind: string, before: string, version: string): void {
  const com = registerWith(behind, before).register.acc;
  change(folder, version, (was) => ({ ...was, com }));
}

const FIVE_YEARS_MS = 5 * 365 * 86_400_000;

/** Five years pass: then a clock that is behind this one's does not take what was left for new. */
export function age(folder: string): void {
  using db = new Database(join(folder, "catalog.sqlite"));
  for (const column of ["created", "idle", "checked"])
    db.query(`UPDATE content SET ${column} = ${column} - ?`).run(FIVE_YEARS_MS);
}

/** A piece of a put that never came to its version. */
export async function leaveOrphan(path: string, user: string, name: string): Promise<void> {
  const folder = new Folder(path);
  const vid = randomBytes(16).toString("hex");
  const id = { space: `u:${user}`, name: inStore(name), vid, cid: vid, piece: 0 };
  await upload(await folder.open(), id, pattern(70_000));
  folder.close();
}
