/** After repair, in calm weather, nothing may be left but the current versions' pieces at their homes. */
import { decode } from "../../src/bytes.ts";
import { homes } from "../../src/file/placement.ts";
import { type Register, registerCodec } from "../../src/version.ts";
import { configCodec } from "../../src/wire/messages.ts";
import type { SimCluster, SimServer } from "./cluster.ts";
import { hasTables, Violation } from "./invariants.ts";

interface PieceLine {
  readonly vid: string;
  readonly piece: number;
  readonly name: string;
  readonly bad: number;
  readonly file: number;
}

/** Throws a Violation for what is left over or missing. A server whose disk was lost is no member any more. */
export function checkQuiet(cluster: SimCluster, spoilt: SimServer | null): void {
  const slots = slotsOf(cluster);
  for (const server of cluster.servers) {
    const slot = slots.indexOf(sidOf(server));
    if (slot >= 0)
      checkServer(server, slot, server === spoilt, slots.includes(null) || hasLost(cluster, slots));
    if (slot < 0 && server !== spoilt && slots.length > 0)
      throw new Violation(`${server.name} is in no slot of the cluster`);
  }
}

function checkServer(server: SimServer, slot: number, isSpoilt: boolean, oneIsLost: boolean): void {
  const registers = registersOf(server);
  for (const [name, { acc, com }] of registers) {
    if (acc?.ballot !== com?.ballot)
      throw new Violation(`${server.name}: ${name} is still pending`);
    // A tombstone waits for all servers; a lost one never comes back.
    if (!oneIsLost && (com === null || com.version.deleted))
      throw new Violation(`${server.name}: a tombstone or an empty row of ${name} is left`);
  }
  const database = server.disk.openDatabase(server.catalog);
  const rows =
    database
      ?.query<PieceLine, []>("SELECT vid, piece, name, bad, data IS NULL AS file FROM piece")
      .all() ?? [];
  for (const { vid, piece, name, bad, file } of rows) {
    const version = registers.get(name)?.com?.version;
    if (version?.vid !== vid)
      throw new Violation(`${server.name}: an orphan of ${name} is left: ${vid}.${piece}`);
    if (!oneIsLost && !homes(version.ring, piece, version.copies).includes(slot))
      throw new Violation(`${server.name}: piece ${piece + 1} of ${name} did not go home`);
    if (bad && !isSpoilt)
      throw new Violation(`${server.name}: piece ${piece + 1} of ${name} is bad`);
    const path = `${server.folder}/pieces/${vid.slice(0, 2)}/${vid}.${piece}`;
    if (file && !server.disk.files().has(path))
      throw new Violation(`${server.name}: ${path} is not there`);
  }
  const files = [...server.disk.files().keys()].filter((path) =>
    path.startsWith(`${server.folder}/pieces/`),
  );
  const known = new Set(
    rows
      .filter(({ file }) => file)
      .map(({ vid, piece }) => `${server.folder}/pieces/${vid.slice(0, 2)}/${vid}.${piece}`),
  );
  for (const path of files)
    if (!known.has(path)) throw new Violation(`${server.name}: ${path} is left over`);
}

function registersOf(server: SimServer): Map<string, Register> {
  const database = server.disk.openDatabase(server.catalog);
  const rows =
    database
      ?.query<{ name: string; row: Uint8Array }, []>(
        "SELECT name, row FROM register WHERE space <> ''",
      )
      .all() ?? [];
  return new Map(rows.map(({ name, row }) => [name, decode(registerCodec, row)]));
}

/** The slots that the cluster has agreed on. */
const slotsOf = (cluster: SimCluster): (string | null)[] =>
  cluster.servers.map(slotsIn).find((slots) => slots.length > 0) ?? [];

/** The slots of the configuration that a server knows as committed; none when it knows none, or is down. */
export function slotsIn(server: SimServer): (string | null)[] {
  const database = server.disk.openDatabase(server.catalog);
  if (!database || !hasTables(database)) return [];
  const found = database
    .query<{ row: Uint8Array }, []>("SELECT row FROM register WHERE space = ''")
    .get();
  const com = found && decode(registerCodec, found.row).com;
  return com ? decode(configCodec, com.version.body).slots : [];
}

function sidOf(server: SimServer): string | null {
  const file = server.disk.files().get(`${server.folder}/format.json`);
  return file ? (JSON.parse(new TextDecoder().decode(file)) as { sid: string }).sid : null;
}

/** Does a slot belong to a server that is there no more? */
function hasLost(cluster: SimCluster, slots: readonly (string | null)[]): boolean {
  const sids = new Set(cluster.servers.map(sidOf));
  return slots.some((sid) => sid !== null && !sids.has(sid));
}
