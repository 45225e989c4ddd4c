/** What servers have been told of their cluster, read from their catalogs. */
import type { Database } from "bun:sqlite";
import { decode, optional, struct } from "../../src/bytes.ts";
import { type Config, configCodec, idCodec } from "../../src/membership.ts";
import { type Ballot, highest } from "../../src/version.ts";
import type { SimServer } from "./cluster.ts";

const SUM_BYTES = 8;
const membership = struct({ cluster: idCodec, config: optional(configCodec) });

/** A database is opened, and locked, before it has its tables. */
export const hasTables = (database: Database): boolean =>
  database.query("SELECT 1 FROM sqlite_master WHERE name = 'content'").get() !== null;

/** One of a server's own facts; null where it has none. */
export function factIn(database: Database, key: string): Uint8Array | null {
  const found = database
    .query<{ value: Uint8Array }, [string]>("SELECT value FROM fact WHERE key = ?")
    .get(key);
  return found && new Uint8Array(found.value).subarray(SUM_BYTES);
}

/** The marks of all lives that a server remembers; none where it is down. */
export function livesOf(server: SimServer): string[] {
  const database = server.disk.openDatabase(server.catalog);
  if (!database || !hasTables(database)) return [];
  return database
    .query<{ value: Uint8Array }, []>("SELECT value FROM fact WHERE key GLOB 'life ?*'")
    .all()
    .map(({ value }) => new Uint8Array(value).subarray(SUM_BYTES).toHex());
}

/** The floors of a server's spaces: those of their own, and the one that counts everywhere under "*". */
export function floorsIn(database: Database): Map<string, Ballot> {
  const rows = database
    .query<{ space: string; floor: Uint8Array }, []>("SELECT space, floor FROM floor")
    .all();
  const everywhere = factIn(database, "floor");
  const all = rows.map(({ space, floor }) => [space, numberOf(floor)] as const);
  return new Map([...all, ["*", everywhere ? numberOf(everywhere) : 0n]]);
}

const numberOf = (bytes: Uint8Array): Ballot => BigInt(`0x${bytes.toHex()}`);

/** The floor of the space of this row, "space/name". */
export const floorFor = (floors: ReadonlyMap<string, Ballot>, key: string): Ballot =>
  highest([floors.get("*") ?? 0n, floors.get(key.slice(0, key.indexOf("/"))) ?? 0n]);

/** The configuration that a server goes by; null where it was told none. */
export function configIn(database: Database): Config | null {
  const fact = factIn(database, "membership");
  return fact && decode(membership, fact).config;
}

/** The configuration that a server goes by; null where it was told none, or is down. */
export function configOf(server: SimServer): Config | null {
  const database = server.disk.openDatabase(server.catalog);
  return database && hasTables(database) ? configIn(database) : null;
}

/** The newest one that any server goes by. */
export const newestConfig = (servers: readonly SimServer[]): Config | null =>
  servers.map(configOf).reduce((a, b) => ((b?.epoch ?? 0) > (a?.epoch ?? 0) ? b : a), null);

/** The id of a server, as format.json says; null before it has one. */
export function sidOf(server: SimServer): string | null {
  const file = server.disk.files().get(`${server.folder}/format.json`);
  return file ? (JSON.parse(new TextDecoder().decode(file)) as { sid: string }).sid : null;
}
