/**
 * What must hold of the servers at every moment (docs/consistency.md section 10), seen from outside: after each transaction
 * the rows are compared with the ones before, and accepted values are counted as votes.
 */
import type { Database } from "bun:sqlite";
import { decode } from "../../src/bytes.ts";
import { canAccept, quorumOf } from "../../src/quorum.ts";
import { matched } from "../../src/client/fetch/plan.ts";
import { hasParity } from "../../src/file/split.ts";
import { type Config, configCodec, membersOf, NO_BIRTH, slotOf } from "../../src/membership.ts";
import {
  type Accepted,
  type Ballot,
  isAncestor,
  type Register,
  type Version,
} from "../../src/version.ts";
import type { SimServer } from "./cluster.ts";
import { keysIn, piecesIn, rowsIn, unfoundedIn } from "./held.ts";
import { configIn, factIn, floorFor, floorsIn, hasTables } from "./installed.ts";

/** The register of configurations, and before there is any the one of the founding. */
const CONFIGS = "/";

export class Violation extends Error {}

/** All that was ever chosen for one name. */
class Chain {
  readonly #votes = new Map<string, Set<number>>();
  readonly #versions = new Map<string, Version>();
  /** Chosen values by ballot, lowest first. */
  readonly chosen: Accepted[] = [];

  /** The server in this slot accepted it, or still holds it, at the epoch of `config`. */
  vote(slot: number, accepted: Accepted, config: Config, name: string): void {
    const key = `${accepted.ballot}/${accepted.version.vid} at ${config.epoch}`;
    const votes = this.#votes.get(key) ?? new Set();
    this.#votes.set(key, votes.add(slot));
    this.#versions.set(accepted.version.vid, accepted.version);
    if (this.isChosen(accepted.ballot) || !canAccept(quorumOf(config), votes)) return;
    this.chosen.push(accepted);
    this.chosen.sort((a, b) => (a.ballot < b.ballot ? -1 : 1));
    this.#checkChain(name);
  }

  isChosen(ballot: Ballot): boolean {
    return this.chosen.some((value) => value.ballot === ballot);
  }

  get newest(): Version | null {
    return this.chosen.at(-1)?.version ?? null;
  }

  /** Each chosen value descends from the one before, or begins a new life after a deletion. */
  #checkChain(name: string): void {
    for (const [i, { version }] of this.chosen.entries()) {
      const before = this.chosen[i - 1]?.version;
      if (!before || before.vid === version.vid) continue;
      const again = this.chosen.slice(0, i).some((other) => other.version.vid === version.vid);
      if (again) throw new Violation(`${name}: version ${version.vid} was applied twice`);
      // A whole history that does not have the deleted one begins after it; its first version may never have been chosen itself.
      const isNewLife = before.deleted && version.history.length === version.seq - 1;
      if (!isNewLife && !this.#descends(version, before))
        throw new Violation(
          `${name}: chosen ${version.vid} (seq ${version.seq}) does not descend from chosen ${before.vid} (seq ${before.seq})`,
        );
    }
  }

  #descends(version: Version, from: Version): boolean {
    let at: Version | undefined = version;
    while (at) {
      if (at.vid === from.vid) return true;
      const parent: string | undefined = at.history[0]?.vid;
      at = parent === undefined ? undefined : this.#versions.get(parent);
      if (!at && parent === from.vid) return true;
    }
    // A parent that only a minority ever accepted may be known by its child's history alone.
    return isAncestor(version, from.vid);
  }
}

export class Invariants {
  /** What each server goes by, and its slot in it. */
  readonly #views = new Map<string, { config: Config; slot: number }>();
  readonly #chains = new Map<string, Chain>();
  /** Each server's rows as far as they were written in this life. */
  readonly #rows = new Map<string, Map<string, Register>>();
  readonly #floors = new Map<string, Map<string, Ballot>>();
  /** What the names of each server hold, "space/name|cid.piece". */
  readonly #held = new Map<string, Set<string>>();
  #newest: Config | null = null;
  /** The one founding that there is. */
  #birth: string | null = null;
  /** How many copies of a piece may be missing: those of disks that were lost or rot. */
  excused = 0;

  /** Before servers know of a configuration it is the first client's: these. */
  constructor(servers: readonly SimServer[]) {
    const voters = [...servers.keys()];
    const none = { seats: [], next: null, leaving: [], awaited: [], keepers: [], log: [] };
    const config = { ...none, format: 0, epoch: 0, birth: NO_BIRTH, voters, largest: 0, floor: 0n };
    for (const [slot, { name }] of servers.entries()) this.#views.set(name, { config, slot });
  }

  /** Has any server been told who makes the cluster? */
  get isFounded(): boolean {
    return this.#newest !== null;
  }

  /** Looks at one server after a transaction; throws a Violation. */
  afterCommit(server: SimServer): void {
    const database = server.disk.openDatabase(server.catalog);
    const life = `${server.name} ${server.lives}`;
    if (!database || !(this.#rows.has(life) || hasTables(database))) return;
    const floors = floorsIn(database);
    const disk = `${server.name} ${server.disks}`;
    const known = this.#floors.get(disk) ?? new Map<string, Ballot>();
    for (const [space, floor] of known)
      if ((floors.get(space) ?? 0n) < floor) throw new Violation(`${server.name}: a floor fell`);
    this.#floors.set(disk, floors);
    const rows = this.#rows.get(life) ?? this.#firstLook(server.name, database, floors);
    this.#rows.set(life, rows);
    const hasVotes = server.written.length > 0;
    for (const [key, row] of server.written.splice(0)) {
      this.#checkRow(server.name, key, row, rows.get(key), floorFor(known, key));
      rows.set(key, row);
    }
    // What came in one transaction with it was asked for before.
    if (server.hasLearned) this.#learn(server, database, rows);
    if (server.hasForgotten) this.#checkForgotten(server, database, rows, floors);
    server.hasForgotten = false;
    // While a server starts it does not know its pieces yet.
    if (!server.isServing || (!server.hasMoved && !hasVotes)) return;
    if (server.hasMoved) {
      this.#held.set(server.name, piecesIn(database));
      for (const id of unfoundedIn(database))
        throw new Violation(`${server.name}: a name holds what is not here: ${id}`);
    }
    server.hasMoved = false;
    this.#checkCopies();
  }

  /** A server goes by another configuration from now on: what it has accepted may be chosen by that. */
  #learn(server: SimServer, database: Database, rows: Map<string, Register>): void {
    server.hasLearned = false;
    const config = configIn(database);
    const sid = factIn(database, "sid")?.toHex() ?? "";
    if (!config) {
      if (server.disks > 0) this.#views.delete(server.name);
      return;
    }
    this.#checkBirth(server.name, config);
    // Who learns that the cluster is founded has no part in that any more.
    if ((this.#views.get(server.name)?.config.epoch ?? 0) === 0) rows.delete(CONFIGS);
    this.#views.set(server.name, { config, slot: slotOf(config, sid) });
    if (config.epoch > (this.#newest?.epoch ?? 0)) this.#newest = config;
    for (const [key, row] of rows) this.#countVote(server.name, key, row);
  }

  #checkBirth(server: string, { birth }: Config): void {
    this.#birth ??= birth;
    if (birth !== this.#birth) throw new Violation(`${server}: there are two clusters`);
  }

  #countVote(server: string, key: string, { acc, com }: Register): void {
    const view = this.#views.get(server);
    // What came by COMMIT was chosen elsewhere; only an ACCEPT is a vote.
    if (view && view.slot >= 0 && acc && acc.ballot !== com?.ballot) {
      if (key === CONFIGS && view.config.epoch > 0 && !acc.version.deleted)
        this.#checkBirth(server, decode(configCodec, acc.version.body));
      this.#chainOf(server, key).vote(view.slot, acc, view.config, key);
    }
  }

  /** What the members hold. */
  #heldByMembers(): Set<string>[] {
    const isMember = (name: string): boolean => {
      const slot = this.#views.get(name)?.slot ?? -1;
      return !this.#newest || membersOf(this.#newest).includes(slot);
    };
    return [...this.#held].flatMap(([name, held]) => (isMember(name) ? [held] : []));
  }

  /** A row may go only where its promise lives on as the floor. */
  #checkForgotten(
    server: SimServer,
    database: Database,
    rows: Map<string, Register>,
    floors: ReadonlyMap<string, Ballot>,
  ): void {
    const left = new Set(keysIn(database));
    for (const [key, { prom }] of rows) {
      if (left.has(key)) continue;
      if (floorFor(floors, key) < prom)
        throw new Violation(`${server.name}: it forgot a promise for ${key}`);
      rows.delete(key);
    }
  }

  /** A server that starts may hold what it never acknowledged: from now on that counts too. */
  #firstLook(
    server: string,
    database: Database,
    floors: ReadonlyMap<string, Ballot>,
  ): Map<string, Register> {
    const rows = new Map(rowsIn(database));
    for (const [key, row] of rows) this.#checkRow(server, key, row, row, floorFor(floors, key));
    return rows;
  }

  /** The newest chosen version of each name has all its copies. */
  #checkCopies(): void {
    for (const [key, chain] of this.#chains) {
      const version = chain.newest;
      if (!version || version.deleted) continue;
      if (hasParity(version)) {
        this.#checkMatched(key, version);
        continue;
      }
      for (let piece = 0; piece < version.pieces; piece++) {
        const id = `${key}|${version.cid}.${piece}`;
        const copies = this.#heldByMembers().filter((held) => held.has(id)).length;
        if (copies < version.copies - this.excused)
          throw new Violation(
            `${key}: piece ${piece + 1} of the current ${version.vid} has ${copies} copies`,
          );
      }
    }
  }

  /** With parity one server more than there must be has a piece of its own. */
  #checkMatched(key: string, version: Version): void {
    const all = this.#heldByMembers();
    const holders = Array.from({ length: version.pieces }, (_, piece) =>
      [...all.keys()].filter((i) => all[i]?.has(`${key}|${version.cid}.${piece}`)),
    );
    const count = matched(holders);
    if (count < version.needed + 1 - this.excused)
      throw new Violation(
        `${key}: the current ${version.vid} has ${count} pieces on servers of their own`,
      );
  }

  #checkRow(
    server: string,
    key: string,
    row: Register,
    old: Register | undefined,
    floor: Ballot,
  ): void {
    const { prom, acc, com } = row;
    if (old && prom < old.prom) throw new Violation(`${server}: the promise for ${key} fell`);
    if (prom < floor && !old && !acc)
      throw new Violation(`${server}: a new row of ${key} is below the floor`);
    if ((com?.ballot ?? 0n) > (acc?.ballot ?? 0n))
      throw new Violation(`${server}: ${key} com above acc`);
    if ((acc?.ballot ?? 0n) > prom) throw new Violation(`${server}: ${key} acc above prom`);
    const chain = this.#chainOf(server, key);
    this.#countVote(server, key, row);
    if (com && old?.com?.ballot !== com.ballot && !chain.isChosen(com.ballot))
      throw new Violation(`${server}: ${key} committed a value that was not chosen`);
  }

  /** The founding is agreed on in a register of its own, which has the name of the one that follows it. */
  #chainOf(server: string, key: string): Chain {
    const isFounding = key === CONFIGS && !this.#views.get(server)?.config.epoch;
    const of = isFounding ? `${key} before there is a cluster` : key;
    const chain = this.#chains.get(of) ?? new Chain();
    this.#chains.set(of, chain);
    return chain;
  }

  /** A name's row on a server, as it was last written in this life; undefined where there is none. */
  rowOf({ name: server, lives }: SimServer, name: string): Register | undefined {
    return this.#rows.get(`${server} ${lives}`)?.get(`u:/${name}`);
  }

  /** What a server has promised and accepted of who makes the cluster. */
  configAt({ name: server, lives }: SimServer): Register | undefined {
    return this.#rows.get(`${server} ${lives}`)?.get(CONFIGS);
  }

  /** How many pieces a server holds. */
  piecesAt({ name }: SimServer): number {
    return this.#held.get(name)?.size ?? 0;
  }

  /** The newest chosen version of a name; null when there is none, or it is deleted. */
  currentOf(name: string): Version | null {
    const version = this.#chains.get(`u:/${name}`)?.newest ?? null;
    return version?.deleted ? null : version;
  }

  get names(): string[] {
    return [...this.#chains.keys()]
      .filter((key) => key.startsWith("u:/"))
      .map((key) => key.slice(3));
  }
}
