/** After repair, in calm weather, nothing may be left but the current versions' pieces at their homes. */
import type { Database } from "bun:sqlite";
import { decode } from "../../src/bytes.ts";
import { homesOf } from "../../src/file/placement.ts";
import { hasParity } from "../../src/file/split.ts";
import { type Config, membersOf, placesOf, slotOf } from "../../src/membership.ts";
import { boundOf, type Register, registerCodec } from "../../src/version.ts";
import type { SimCluster, SimServer } from "./cluster.ts";
import { Violation } from "./invariants.ts";
import { newestConfig, sidOf } from "./installed.ts";

interface HoldingLine {
  readonly cid: string;
  readonly piece: number;
  readonly name: string;
  readonly bad: number;
}
const HOLDINGS = "SELECT lower(hex(cid)) AS cid, piece, name, bad FROM holding";

interface ContentLine {
  readonly cid: string;
  readonly piece: number;
  readonly file: number;
  readonly held: number;
}
const CONTENTS = `SELECT lower(hex(cid)) AS cid, piece, data IS NULL AS file, EXISTS
  (SELECT 1 FROM holding WHERE holding.cid = content.cid AND holding.piece = content.piece) AS held
  FROM content`;

/** Throws a Violation for what is left over or missing. A server whose disk was lost is no member any more. */
export function checkQuiet(cluster: SimCluster, spoilt: SimServer | null): void {
  const config = newestConfig(cluster.servers);
  if (!config) return;
  if (config.next) throw new Violation("a change of the members is not finished");
  const members = membersOf(config);
  const names = members.map((slot) => config.seats[slot]?.name);
  if (new Set(names).size < names.length) throw new Violation("two members have one name");
  const isThere = thereIn(cluster, config);
  for (const server of cluster.servers) {
    // What nobody counts nobody tidies.
    if (isLost(server)) continue;
    const slot = slotOf(config, sidOf(server) ?? "");
    if (members.includes(slot))
      checkServer(server, slot, config, server === spoilt, !members.every(isThere));
    else if (slot < 0 && server !== spoilt && !isSpare(cluster, config, server))
      throw new Violation(`${server.name} is in no slot of the cluster`);
  }
}

/** Is it one that need not be a member? So it is too where nobody waits any more for one that was never seen. */
const isSpare = ({ spares }: SimCluster, { seats, awaited }: Config, server: SimServer): boolean =>
  spares.includes(server) ||
  seats.some(
    ({ sid, name }, slot) => sid === null && name === server.name && !awaited.includes(slot),
  );

/** What nobody counts any more. */
const isLost = ({ isPutBack, refused }: SimServer): boolean => isPutBack || refused !== null;

/** Whether the server in a slot is there, and counts. */
function thereIn({ servers }: SimCluster, { seats }: Config): (slot: number) => boolean {
  const sids = new Set(servers.filter((server) => !isLost(server)).map(sidOf));
  return (slot) => sids.has(seats[slot]?.sid ?? null);
}

/** How many servers are there that may hold pieces. */
export function placesThere(cluster: SimCluster): number {
  const config = newestConfig(cluster.servers);
  return config ? placesOf(config).filter(thereIn(cluster, config)).length : cluster.servers.length;
}

/** Has any server promised further in a name than it goes in one step from where another one is? */
export function isUneven({ servers }: SimCluster): boolean {
  const promises = new Map<string, bigint[]>();
  for (const server of servers)
    for (const [name, { prom }] of registersOf(server))
      promises.set(name, [...(promises.get(name) ?? []), prom]);
  return [...promises.values()].some((proms) =>
    proms.some((prom) => proms.some((other) => prom > boundOf(other))),
  );
}

function checkServer(
  server: SimServer,
  slot: number,
  config: Config,
  isSpoilt: boolean,
  oneIsLost: boolean,
): void {
  const registers = registersOf(server);
  for (const [name, { acc, com }] of registers) {
    if (acc?.ballot !== com?.ballot)
      throw new Violation(`${server.name}: ${name} is still pending`);
    // A tombstone waits for all servers; a lost one never comes back.
    if (!oneIsLost && (com === null || com.version.deleted))
      throw new Violation(`${server.name}: a tombstone or an empty row of ${name} is left`);
  }
  const database = server.disk.openDatabase(server.catalog);
  if (!database) return;
  const [entry] = database.query<{ name: string }, []>("SELECT name FROM entry").all();
  if (entry) throw new Violation(`${server.name}: a pending version of ${entry.name} is left`);
  for (const { cid, piece, name, bad } of database.query<HoldingLine, []>(HOLDINGS).all()) {
    const version = registers.get(name)?.com?.version;
    if (version?.cid !== cid)
      throw new Violation(`${server.name}: an orphan of ${name} is left: ${cid}.${piece}`);
    // Where a file has more pieces with parity than there are places, one that is about to go keeps its own.
    const isCrowded = hasParity(version) && placesOf(config).length < version.pieces;
    if (!oneIsLost && !isCrowded && !homesOf(version, config)[piece]?.includes(slot))
      throw new Violation(`${server.name}: piece ${piece + 1} of ${name} did not go home`);
    if (bad && !isSpoilt)
      throw new Violation(`${server.name}: piece ${piece + 1} of ${name} is bad`);
  }
  checkContents(server, database);
}

/** Each content is held by some name, and is there; and no file is left besides. */
function checkContents(server: SimServer, database: Database): void {
  const files = server.disk.files();
  const known = new Set<string>();
  for (const { cid, piece, file, held } of database.query<ContentLine, []>(CONTENTS).all()) {
    if (!held) throw new Violation(`${server.name}: nobody holds ${cid}.${piece}`);
    const path = `${server.folder}/pieces/${cid.slice(0, 2)}/${cid}.${piece}`;
    if (!file) continue;
    known.add(path);
    if (!files.has(path)) throw new Violation(`${server.name}: ${path} is not there`);
  }
  for (const path of files.keys())
    if (path.startsWith(`${server.folder}/pieces/`) && !known.has(path))
      throw new Violation(`${server.name}: ${path} is left over`);
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
