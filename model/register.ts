/**
 * The servers of the register's model: one name, its register on each server, and which pieces of which version each holds, without bytes
 * (docs/consistency.md sections 1 and 2). Used by all that is about one name with its pieces; lives.ts puts folders around it.
 */
import type { Chance } from "./chance.ts";
import { Chosen } from "./chosen.ts";
import type { Rule } from "./rules.ts";
import { type Servers, Violation } from "./simulator.ts";

export interface Version {
  readonly vid: number;
  readonly parent: Version | null;
  readonly seq: number;
  readonly history: readonly number[];
  readonly birthFloor: number;
  readonly deleted: boolean;
  /** Its pieces ride with the promise: the model does not follow them. */
  readonly small: boolean;
}

export interface Accepted {
  readonly ballot: number;
  readonly version: Version;
}

export type Request =
  | { readonly is: "read" }
  | { readonly is: "upload"; readonly vid: number; readonly pieces: readonly number[] }
  | { readonly is: "fetch" | "drop"; readonly vid: number; readonly piece: number }
  | { readonly is: "prepare"; readonly ballot: number; readonly vid: number }
  | { readonly is: "accept"; readonly ballot: number; readonly version: Version }
  | {
      readonly is: "commit";
      readonly ballot: number;
      readonly version: Version;
      readonly sync: boolean;
    }
  | { readonly is: "forget"; readonly ballot: number }
  | { readonly is: "collect"; readonly vid: number; readonly ballot: number }
  /** What other names do to the floor of the space, and the trash being emptied. */
  | { readonly is: "raise"; readonly floor: number }
  | { readonly is: "sweep" };

/** A server always tells all that it knows of the name: the model has no use for less. */
export interface Answer extends Row {
  readonly ok: boolean;
  /** The good pieces of the version that was asked for, and the versions that are neither acc's nor com's. */
  readonly held: readonly number[];
  readonly orphans: readonly number[];
}

export interface Row {
  readonly prom: number;
  readonly acc: Accepted | null;
  readonly com: Accepted | null;
  readonly floor: number;
}

/** Ballots: n x 64 + the client's number. So far above its second highest a number is taken from one server alone. */
export const BALLOT_CLIENTS = 64;
const STEP = 4 * BALLOT_CLIENTS;
/** Short, so that histories are too short to tell. */
export const HISTORY_LENGTH = 2;

/** What is a durable transaction, which makes durable what came before it. */
const SYNCED = new Set<string>(["prepare", "accept", "forget", "raise", "sweep"]);

const BLANK: Row = { prom: 0, acc: null, com: null, floor: 0 };

/** The highest that two of these vouch for, as `vouchedFor` in src/client/agree/ballots.ts. */
export function vouched(numbers: readonly number[]): number {
  const [first = 0, second = first] = numbers.toSorted((a, b) => b - a);
  return first <= second + STEP ? first : second;
}

export class Registers implements Servers<Request, Answer> {
  readonly count: number;
  readonly accept: number;
  readonly read: number;
  readonly copies: number;
  readonly broken: Rule | null;
  readonly rows: Row[];
  /** What of it a crash leaves. */
  readonly durable: Row[];
  /** By server and version: its pieces; true: in the trash. */
  readonly pieces: Map<number, Map<number, boolean>>[];
  readonly #chosen: Chosen;
  readonly #chance: Chance;

  /** `isJudged` false: what is chosen is not looked at, for somebody else judges. */
  constructor(count: number, broken: Rule | null, chance: Chance, isJudged = true) {
    this.count = count;
    this.accept = Math.floor(count / 2) + 1;
    this.read = count - this.accept + 1;
    this.copies = Math.min(2, count);
    this.broken = broken;
    this.#chance = chance;
    this.#chosen = new Chosen(isJudged ? this.accept : Infinity);
    this.rows = Array.from({ length: count }, () => BLANK);
    this.durable = Array.from({ length: count }, () => BLANK);
    this.pieces = Array.from({ length: count }, () => new Map());
  }

  /** The servers that are home to a piece. */
  homesOf = (piece: number): number[] => [
    ...new Set([piece % this.count, (piece + this.copies - 1) % this.count]),
  ];

  answer(server: number, request: Request): Answer {
    const ok = this.#carryOut(server, request);
    const isVolatile = this.broken === "commit before forget volatile";
    const isSynced = request.is === "commit" ? request.sync && !isVolatile : SYNCED.has(request.is);
    if (isSynced) this.durable[server] = this.rows[server]!;
    const { acc, com } = this.rows[server]!;
    const known = [acc?.version.vid, com?.version.vid];
    const orphans = [...this.pieces[server]!.keys()].filter((vid) => !known.includes(vid));
    const held = "vid" in request ? this.heldBy(server, request.vid) : [];
    return { ...this.rows[server]!, ok, held, orphans };
  }

  /** The good pieces of a version. */
  heldBy(server: number, vid: number): number[] {
    const pieces = [...(this.pieces[server]!.get(vid) ?? [])];
    return pieces.flatMap(([piece, isTrash]) =>
      !isTrash || this.broken === "trash counted" ? [piece] : [],
    );
  }

  #carryOut(server: number, request: Request): boolean {
    const row = this.rows[server]!;
    const { broken } = this;
    const put = (next: Partial<Row>): void => void (this.rows[server] = { ...row, ...next });
    switch (request.is) {
      case "read":
        return true;
      case "upload":
        for (const piece of request.pieces) this.#piecesOf(server, request.vid).set(piece, false);
        return true;
      case "fetch":
        return this.pieces[server]!.get(request.vid)?.has(request.piece) ?? false;
      case "prepare": {
        const { ballot, vid } = request;
        const isRepeated = ballot === row.prom && (row.acc?.ballot ?? 0) < ballot;
        if (ballot <= row.prom && !isRepeated) return false;
        put({ prom: ballot });
        const isOver = row.com?.version.vid === vid || row.com?.version.history.includes(vid);
        if (!isOver && broken !== "trash counted") this.#restore(server, vid);
        return true;
      }
      case "accept": {
        const { ballot, version } = request;
        if (row.acc?.ballot === ballot) return true;
        if (ballot < row.prom) return false;
        const old = row.acc?.version.vid;
        if (broken === "old pieces go at accept" && old !== undefined && old !== version.vid)
          this.#trash(server, [old]);
        put({ prom: ballot, acc: { ballot, version } });
        this.#chosen.vote(server, { ballot, version });
        return true;
      }
      case "commit": {
        const { ballot, version } = request;
        const isAbsent = row.acc === null && row.com === null;
        if (isAbsent && ballot <= row.floor && broken !== "late commit taken") return true;
        if (row.com && row.com.ballot >= ballot) return true;
        const com = { ballot, version };
        const acc = row.acc && row.acc.ballot > ballot ? row.acc : com;
        put({ com, acc, prom: Math.max(row.prom, ballot) });
        const old = [...version.history, ...(row.com ? [row.com.version.vid] : [])];
        const kept = [version.vid, acc.version.vid];
        this.#trash(
          server,
          old.filter((vid) => !kept.includes(vid)),
        );
        return true;
      }
      case "forget": {
        const { ballot } = request;
        const isThis = row.com?.ballot === ballot && row.acc?.ballot === ballot;
        const isEmpty = row.acc === null && row.com === null;
        if (!isEmpty && !(isThis && row.com?.version.deleted)) return false;
        const floor = broken === "no floor" ? row.floor : Math.max(row.floor, row.prom);
        put({ prom: floor, acc: null, com: null, floor });
        return true;
      }
      case "collect": {
        const { ballot, vid } = request;
        const isFenced = row.prom === ballot;
        const isUnfenced = broken === "orphans by age" || broken === "collect at any promise";
        if (!isFenced && !isUnfenced) return false;
        if ([row.acc?.version.vid, row.com?.version.vid].includes(vid)) return false;
        this.#trash(server, [vid]);
        return true;
      }
      case "drop": {
        const { vid, piece } = request;
        if (row.com?.version.vid !== vid || this.homesOf(piece).includes(server)) return false;
        if (this.pieces[server]!.get(vid)?.has(piece)) this.#piecesOf(server, vid).set(piece, true);
        return true;
      }
      case "raise": {
        const floor = Math.max(row.floor, request.floor);
        const isAbsent = row.acc === null && row.com === null;
        put({ floor, prom: isAbsent ? Math.max(row.prom, floor) : row.prom });
        return true;
      }
      case "sweep":
        this.sweep(server);
        return true;
    }
  }

  #piecesOf(server: number, vid: number): Map<number, boolean> {
    const known = this.pieces[server]!.get(vid) ?? new Map<number, boolean>();
    this.pieces[server]!.set(vid, known);
    return known;
  }

  #trash(server: number, vids: readonly number[]): void {
    for (const vid of vids)
      for (const piece of this.pieces[server]!.get(vid)?.keys() ?? [])
        this.#piecesOf(server, vid).set(piece, true);
  }

  #restore(server: number, vid: number): void {
    for (const piece of this.pieces[server]!.get(vid)?.keys() ?? [])
      this.#piecesOf(server, vid).set(piece, false);
  }

  /** Unlinks what is in the trash. */
  sweep(server: number): void {
    for (const [vid, pieces] of this.pieces[server]!) {
      for (const [piece, isTrash] of pieces) if (isTrash) pieces.delete(piece);
      if (pieces.size === 0) this.pieces[server]!.delete(vid);
    }
  }

  crash(server: number): void {
    const { acc, com, prom, floor } = this.durable[server]!;
    const told = Math.max(acc?.ballot ?? 0, com?.ballot ?? 0, floor);
    this.rows[server] = { acc, com, floor, prom: this.broken === "promise volatile" ? told : prom };
    if (this.broken !== "lost disk keeps its id" || !this.#chance.is(0.5)) return;
    this.rows[server] = BLANK;
    this.durable[server] = BLANK;
    this.pieces[server] = new Map();
  }

  check(): void {
    const newest = this.#chosen.newest;
    const isFollowed = newest && !newest.deleted && !newest.small;
    if (!isFollowed || this.broken === "lost disk keeps its id") return;
    for (let piece = 0; piece < this.count; piece++) {
      const holders = this.pieces.filter((of) => of.get(newest.vid)?.get(piece) === false);
      if (holders.length < this.copies)
        throw new Violation("the newest chosen version lacks copies");
    }
  }
}
