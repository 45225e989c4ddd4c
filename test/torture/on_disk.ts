/** What lies on the servers' disks once they have ended: exactly the current files, each piece at its homes, and nothing else. */
import { Database } from "bun:sqlite";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { decode, optional, struct } from "../../src/bytes.ts";
import { homesOf } from "../../src/file/placement.ts";
import { type Config, configCodec, idCodec, slotOf } from "../../src/membership.ts";
import { type Register, registerCodec, type Version } from "../../src/version.ts";
import { isSame } from "./contents.ts";
import { sealedFiles } from "./person.ts";
import { pieceOf } from "./piece_of.ts";
import type { Servers } from "./servers.ts";

interface PieceLine {
  readonly cid: string;
  readonly piece: number;
  readonly space: string;
  /** The name that holds it; null where none does. */
  readonly name: string | null;
  readonly bytes: number;
  readonly data: Uint8Array | null;
  readonly bad: number;
}

type HeldLine = PieceLine & { readonly name: string };
const isHeld = (line: PieceLine): line is HeldLine => line.name !== null;

/** What one server's folder holds. */
export interface Holdings {
  readonly server: string;
  readonly sid: string;
  readonly config: Register | null;
  /** What it goes by. */
  readonly goesBy: Config | null;
  readonly registers: ReadonlyMap<string, Register>;
  /** The pieces that names hold, once for each of them; and those that none holds any more. */
  readonly pieces: readonly HeldLine[];
  readonly idle: readonly PieceLine[];
  /** Files below `pieces`, as they are called in the catalog: CID.PIECE. */
  readonly files: ReadonlyMap<string, string>;
  /** Files of uploads that did not end. */
  readonly temporary: readonly string[];
}

/** As a server keeps it among its facts, behind a checksum. */
const membershipCodec = struct({ cluster: idCodec, config: optional(configCodec) });

const FACT_SUM_BYTES = 8;

function configOf(database: Database): Config | null {
  const membership = "SELECT value FROM fact WHERE key = 'membership'";
  const fact = database.query<{ value: Uint8Array }, []>(membership).get();
  return fact && decode(membershipCodec, fact.value.subarray(FACT_SUM_BYTES)).config;
}

function holdingsOf(server: string, folder: string): Holdings {
  const database = new Database(join(folder, "catalog.sqlite"), { readonly: true });
  try {
    const rows = database
      .query<{ space: string; name: string; row: Uint8Array }, []>("SELECT * FROM register")
      .all();
    const registers = rows
      .filter(({ space }) => space !== "")
      .map(({ name, row }) => [name, decode(registerCodec, row)] as const);
    const config = rows.find(({ space }) => space === "");
    const lines = database
      .query<PieceLine, []>(
        `SELECT lower(hex(cid)) AS cid, piece, content.space, name, bytes, data, content.bad
         FROM content LEFT JOIN holding USING (cid, piece) ORDER BY cid, piece, name`,
      )
      .all();
    const pieces = join(folder, "pieces");
    const files = readdirSync(pieces)
      .filter((prefix) => prefix !== "tmp")
      .flatMap((prefix) =>
        readdirSync(join(pieces, prefix)).map((name) => [prefix, name] as const),
      );
    return {
      server,
      sid: (JSON.parse(readFileSync(join(folder, "format.json"), "utf8")) as { sid: string }).sid,
      config: config ? decode(registerCodec, config.row) : null,
      goesBy: configOf(database),
      registers: new Map(registers),
      pieces: lines.filter(isHeld),
      idle: lines.filter((line) => !isHeld(line)),
      files: new Map(files.map(([prefix, name]) => [name, join(pieces, prefix, name)])),
      temporary: existsSync(join(pieces, "tmp")) ? readdirSync(join(pieces, "tmp")) : [],
    };
  } finally {
    database.close();
  }
}

const allHoldings = (servers: Servers): Holdings[] =>
  servers.all.map(({ name, folder }) => holdingsOf(name, folder));

/** What was counted. */
export interface Count {
  readonly pieces: number;
  readonly files: number;
  readonly idle: number;
}

/** What the servers, which must have ended, hold, and all of it that is too much or too little. */
export function countOnDisk(
  servers: Servers,
  expected: ReadonlyMap<string, Uint8Array>,
): { count: Count; wrong: string[]; portrait: string[] } {
  const all = allHoldings(servers);
  const config = configIn(all);
  const { person } = servers;
  const held = person ? sealedFiles(person, expected, (stored) => chosenIn(all, stored)) : expected;
  const space = `u:${person?.user ?? ""}`;
  const wrong: string[] = config ? [...wrongsOfMembers(config, all)] : ["nobody knows who is who"];
  for (const holdings of all) {
    if (!config || !config.voters.includes(slotOf(config, holdings.sid)))
      wrong.push(`${holdings.server} is no member of the cluster`);
    else wrong.push(...wrongsIn(holdings, config, held, space));
  }
  const count = {
    pieces: all.reduce((n, { pieces }) => n + pieces.length, 0),
    files: all.reduce((n, { pieces }) => n + pieces.filter(({ data }) => data === null).length, 0),
    idle: all.reduce((n, { idle }) => n + idle.length, 0),
  };
  return { count, wrong, portrait: all.flatMap(portraitOf) };
}

/** A file that a server was about to remove when it ended; its next start makes it an orphan. */
export const isHalfRemoved = (wrong: string): boolean => /: the file \S+ is left over$/.test(wrong);

/** The newest configuration that any server goes by. */
const configIn = (all: readonly Holdings[]): Config | null =>
  all.flatMap(({ goesBy }) => goesBy ?? []).toSorted((a, b) => b.epoch - a.epoch)[0] ?? null;

/** The newest version of a name, as servers call it, that any of them knows as chosen. */
function chosenIn(all: readonly Holdings[], stored: string): Version | null {
  const chosen = all.flatMap(({ registers }) => registers.get(stored)?.com ?? []);
  return chosen.toSorted((a, b) => (a.ballot > b.ballot ? -1 : 1))[0]?.version ?? null;
}

/** These servers are all there are, all know that, and no change of them is left half done. */
function* wrongsOfMembers(
  { epoch, voters, next, leaving }: Config,
  all: readonly Holdings[],
): Generator<string> {
  if (voters.length !== all.length)
    yield `the cluster has ${voters.length} members, and ${all.length} servers are there`;
  if (next) yield "a change of the servers is not finished";
  if (leaving.length > 0) yield `slots ${leaving.join(", ")} hold no new pieces`;
  for (const one of all)
    if (one.goesBy?.epoch !== epoch)
      yield `${one.server} goes by epoch ${one.goesBy?.epoch ?? 0}, not ${epoch}`;
}

function* wrongsIn(
  { server, sid, registers, pieces, idle, files, temporary }: Holdings,
  config: Config,
  expected: ReadonlyMap<string, Uint8Array>,
  ours: string,
): Generator<string> {
  const slot = slotOf(config, sid);
  for (const [name, { acc, com }] of registers) {
    if (acc?.ballot !== com?.ballot) yield `${server}: ${name} is pending`;
    if (com === null) yield `${server}: an empty row of ${name} is left`;
    else if (com.version.deleted) yield `${server}: a tombstone of ${name} is left`;
    else if (!expected.has(name)) yield `${server}: ${name} is there, and should not be`;
  }
  const inCatalog = new Set<string>();
  for (const { cid, piece, space, name, bytes, data, bad } of pieces) {
    const id = `${cid}.${piece}`;
    if (data === null) inCatalog.add(id);
    const version = registers.get(name)?.com?.version;
    const content = expected.get(name);
    if (space !== ours) yield `${server}: ${id} is in space ${space}`;
    if (version?.cid !== cid) yield `${server}: an orphan of ${name} is left: ${id}`;
    else if (!homesOf(version, config)[piece]?.includes(slot))
      yield `${server}: piece ${piece + 1} of ${name} is not at home`;
    if (bad) yield `${server}: piece ${piece + 1} of ${name} is bad`;
    const path = files.get(id);
    if (data === null && !path) yield `${server}: the file of ${id} is not there`;
    if (!content || version?.cid !== cid) continue;
    const whole = pieceOf(content, version, piece);
    const held = data ?? (path ? readFileSync(path).subarray(0, bytes) : new Uint8Array());
    if (!isSame(held, whole)) yield `${server}: piece ${piece + 1} of ${name} has other bytes`;
  }
  for (const [name] of expected) {
    const version = registers.get(name)?.com?.version;
    if (!version) yield `${server}: ${name} is not known`;
    for (const [piece, slots] of (version ? homesOf(version, config) : []).entries())
      if (slots.includes(slot))
        if (!pieces.some((one) => one.cid === version?.cid && one.piece === piece))
          yield `${server}: piece ${piece + 1} of ${name} is not there`;
  }
  const notHeld = new Set(idle.map(({ cid, piece }) => `${cid}.${piece}`));
  for (const id of files.keys())
    if (!inCatalog.has(id) && !notHeld.has(id)) yield `${server}: the file ${id} is left over`;
  for (const name of temporary) yield `${server}: the temporary file ${name} is left over`;
}

/** All of one server's registers and pieces, for people. */
function portraitOf({ server, sid, registers, pieces, idle, config }: Holdings): string[] {
  const short = (vid: string): string => vid.slice(0, 8);
  const at = (value: Register["acc"]): string =>
    value
      ? `${value.ballot >> 64n}/${short((value.ballot & 0xffffffffffffffffn).toString(16))} ${value.version.deleted ? "deleted" : "file"} ${short(value.version.vid)} seq ${value.version.seq}`
      : "nothing";
  const registerLine = ([name, { prom, acc, com }]: [string, Register]): string =>
    `  ${name === "" ? "(configuration)" : name}: prom ${prom >> 64n}, acc ${at(acc)}, com ${at(com)}`;
  const pieceLine = ({ name, cid, piece, bytes, data, bad }: PieceLine): string =>
    `  ${name ?? "(held by none)"} ${short(cid)}.${piece + 1}: ${bytes} bytes ${data ? "in the catalog" : "in a file"}${bad ? ", bad" : ""}`;
  return [
    `${server} (${short(sid)}):`,
    ...(config ? [registerLine(["", config])] : []),
    ...[...registers].map(registerLine),
    ...[...pieces, ...idle].map(pieceLine),
  ];
}
