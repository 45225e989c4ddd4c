/**
 * All servers of the model of content by reference, and what is true of them together. Used by the clients' side (rounds.ts and what is
 * built on it), by histories.ts and by script.ts.
 */
import type { Chance } from "../chance.ts";
import type { Servers } from "../simulator.ts";
import { crash, dropEarly, runOut, start, sweep } from "./aging.ts";
import { type Answer, Lists, type Request } from "./records.ts";
import type { LinkRule } from "./rules.ts";
import { LinkServer } from "./server.ts";
import { Truth } from "./truth.ts";

/** Does it tell of a list of several contents? */
const isOfLists = (request: Request): boolean =>
  (request.is === "prepare" || request.is === "link") && (request.link?.cids.length ?? 0) > 1;

/** Clocks are so far apart, at most. */
const SKEW = 1000;

export class LinkWorld implements Servers<Request, Answer> {
  readonly count: number;
  readonly accept: number;
  readonly read: number;
  readonly copies: number;
  readonly broken: LinkRule | null;
  readonly chance: Chance;
  readonly servers: LinkServer[];
  readonly lists = new Lists();
  readonly truth: Truth;
  readonly up: boolean[];
  /** The true time; set by whoever runs the world. */
  now: () => number = () => 0;
  isRoomShort = false;
  /** A server that does not hear of lists: each PREPARE and LINK that tells it of one is lost. */
  deaf: number | null = null;
  #isChecked = false;

  constructor(count: number, broken: LinkRule | null, chance: Chance) {
    this.count = count;
    this.accept = Math.floor(count / 2) + 1;
    this.read = count - this.accept + 1;
    this.copies = Math.min(2, count);
    this.broken = broken;
    this.chance = chance;
    this.truth = new Truth(this, this.lists);
    this.up = Array.from({ length: count }, () => true);
    const surroundings = {
      broken,
      count,
      chance,
      homesOf: this.homesOf,
      now: () => this.now(),
      vote: this.#vote,
    };
    this.servers = this.up.map(
      (_, index) => new LinkServer(index, surroundings, chance.below(2 * SKEW) - SKEW),
    );
  }

  /** The servers that are home to a piece. */
  homesOf = (x: number, piece: number): number[] => [
    ...new Set([(x + piece) % this.count, (x + piece + this.copies - 1) % this.count]),
  ];

  #vote = (...[server, accepted]: Parameters<LinkServer["world"]["vote"]>): void =>
    this.truth.vote(server, accepted, this.now());

  answer(server: number, request: Request): Answer | undefined {
    if (server === this.deaf && isOfLists(request)) return undefined;
    if (this.chance.is(0.15)) this.age(server);
    if (request.is !== "read" && request.is !== "fetch") this.#isChecked = false;
    return this.servers[server]!.answer(request);
  }

  /** A server does what it does by itself; `isAll`: to the end of it. */
  age(index: number, isAll = false): void {
    const server = this.servers[index]!;
    this.#isChecked = false;
    runOut(server);
    if (this.isRoomShort && !isAll && this.chance.is(0.03) && dropEarly(server))
      this.truth.isRoomShort = true;
    sweep(server, () => !isAll && this.chance.is(0.1));
  }

  crash(server: number): void {
    this.up[server] = false;
    this.#isChecked = false;
    crash(this.servers[server]!);
  }

  restart(server: number): void {
    this.up[server] = true;
    this.#isChecked = false;
    start(this.servers[server]!);
  }

  check(): void {
    if (this.#isChecked) return;
    this.#isChecked = true;
    this.truth.check(this.servers, this.up, this.now());
  }
}
