/**
 * The servers of the members' model: which cluster each belongs to, by which configuration it goes, and one name's register
 * (docs/consistency.md sections 4 and 14). A folder may be emptied: then another server is at that address.
 */
import type { Chance } from "./chance.ts";
import type { Servers } from "./simulator.ts";

/** The rules that the model can break. */
export type MemberRule =
  | "epochs"
  | "an epoch of both"
  | "every value accepted anew"
  | "accepted anew by force"
  | "founding by W of all listed"
  | "nothing founded by who knows of a founding"
  | "requests are for a sid";

export interface Seat {
  readonly sid: number;
  readonly address: number;
}

export interface Config {
  readonly birth: number;
  readonly epoch: number;
  readonly seats: readonly Seat[];
  /** Slots. */
  readonly voters: readonly number[];
  readonly next: readonly number[] | null;
}

export interface Version {
  readonly vid: number;
  readonly deleted: boolean;
  readonly seq: number;
  readonly history: readonly number[];
}

export interface Accepted {
  readonly ballot: number;
  readonly version: Version;
}

/** What is asked at an epoch. */
export type Body =
  | { readonly is: "install" | "epoch" | "read" }
  | { readonly is: "prepare"; readonly ballot: number }
  | { readonly is: "accept" | "commit"; readonly ballot: number; readonly version: Version };

export type Request =
  | { readonly is: "hello" }
  | { readonly is: "foundPrepare"; readonly sid: number; readonly ballot: number }
  | {
      readonly is: "foundAccept";
      readonly sid: number;
      readonly ballot: number;
      readonly config: Config;
    }
  | { readonly is: "at"; readonly sid: number; readonly config: Config; readonly body: Body };

interface Founding {
  readonly ballot: number;
  readonly config: Config;
}

export interface Answer {
  readonly sid: number;
  readonly ok: boolean;
  /** What it goes by; null: it is blank. */
  readonly config: Config | null;
  readonly founding: Founding | null;
  readonly prom: number;
  readonly acc: Accepted | null;
  readonly com: Accepted | null;
}

interface Server {
  readonly sid: number;
  config: Config | null;
  founding: Founding | null;
  promised: number;
  prom: number;
  acc: Accepted | null;
  com: Accepted | null;
}

export class MemberServers implements Servers<Request, Answer> {
  readonly servers: Server[];
  readonly broken: MemberRule | null;
  /** Folders that may yet be emptied, once there is a cluster. */
  isFounded = false;
  empties: number;
  readonly #chance: Chance;
  #sids = 0;

  constructor(count: number, broken: MemberRule | null, chance: Chance) {
    this.broken = broken;
    this.#chance = chance;
    this.empties = chance.below(3);
    this.servers = Array.from({ length: count }, () => this.#blank());
  }

  #blank(): Server {
    const nothing = { config: null, founding: null, promised: 0, prom: 0, acc: null, com: null };
    return { sid: ++this.#sids, ...nothing };
  }

  restart(address: number): void {
    if (!this.isFounded || this.empties === 0 || !this.#chance.is(0.25)) return;
    this.empties--;
    this.servers[address] = this.#blank();
  }

  answer(address: number, request: Request): Answer | undefined {
    const server = this.servers[address]!;
    const isBound = this.broken !== "requests are for a sid";
    if (request.is !== "hello" && isBound && request.sid !== server.sid) return undefined;
    const ok = this.#carryOut(server, address, request);
    if (ok === null) return undefined;
    const { sid, config, founding, prom, acc, com } = server;
    return { sid, ok, config, founding, prom, acc, com };
  }

  /** null: it does not answer that. */
  #carryOut(server: Server, address: number, request: Request): boolean | null {
    if (request.is === "hello") return true;
    if (request.is === "at") return this.#carryOutAt(server, address, request.config, request.body);
    if (server.config) return false;
    const { ballot } = request;
    if (request.is === "foundPrepare" ? ballot <= server.promised : ballot < server.promised)
      return false;
    server.promised = ballot;
    if (request.is === "foundAccept") server.founding = { ballot, config: request.config };
    return true;
  }

  #carryOutAt(server: Server, address: number, config: Config, body: Body): boolean | null {
    if (server.config && server.config.birth !== config.birth) return null;
    const isBound = this.broken !== "requests are for a sid";
    const hasSeat = config.seats.some((seat) =>
      isBound ? seat.sid === server.sid : seat.address === address,
    );
    if (!server.config && !hasSeat && body.is !== "install") return null;
    if (!server.config || config.epoch > server.config.epoch) server.config = config;
    const isLate = config.epoch < server.config.epoch && this.broken !== "epochs";
    return isLate ? false : this.#vote(server, body);
  }

  #vote(server: Server, body: Body): boolean {
    switch (body.is) {
      case "install":
      case "epoch":
      case "read":
        return true;
      case "prepare":
        if (body.ballot <= server.prom) return false;
        server.prom = body.ballot;
        return true;
      case "accept":
        if (server.acc?.ballot === body.ballot) return true;
        if (body.ballot < server.prom) return false;
        server.prom = body.ballot;
        server.acc = { ballot: body.ballot, version: body.version };
        return true;
      case "commit": {
        const { ballot, version } = body;
        if (server.com && server.com.ballot >= ballot) return true;
        server.com = { ballot, version };
        if (!server.acc || server.acc.ballot <= ballot) server.acc = server.com;
        server.prom = Math.max(server.prom, ballot);
        return true;
      }
    }
  }
}
