/**
 * The pieces of a version that has the content of another one. Servers link what they have with
 * PREPARE, so mostly no bytes move. A promise shows what a server really has: the content may be
 * gone from some since it was looked up. Copies that are short go from any server that still has
 * the content to the home, or are handed off. Used by link; and by put_stream, for the pieces of a
 * stream, which cannot be read again.
 */
import type { DfsError } from "../../errors.ts";
import { candidates, handingOrder, homesOf } from "../../file/placement.ts";
import { hasParity } from "../../file/split.ts";
import { type Cid, contentOf, type Version } from "../../version.ts";
import type { InlinePiece } from "../../wire/values.ts";
import type { Supply } from "../agree/rounds.ts";
import type { Cluster } from "../connect/cluster.ts";
import { hearsMore } from "../connect/silent.ts";
import {
  type HeldBySlot,
  holdersIn,
  isCoveredIn,
  isWholeIn,
  lacksIn,
  nextServers,
} from "./copies.ts";
import { Delivery, type Lacking, type Target } from "./deliver.ts";
import { shortageOf } from "./shortage.ts";

export class LinkedPieces implements Supply {
  readonly cid: Cid;
  readonly #cluster: Cluster;
  readonly #target: Target;
  readonly #version: Version;
  /** For each piece, the slots that held it when the content was looked up. */
  readonly #holders: readonly (readonly number[])[];
  /** The slots that each piece was sent to, whether they took it or not. */
  readonly #tried: Set<number>[];
  readonly #refused = new Map<number, DfsError>();
  /** Was there no server left to copy a piece from? */
  isLost = false;

  /** `version` has the content, and `holders` has the slots that hold each of its pieces. */
  constructor(
    cluster: Cluster,
    target: Target,
    version: Version,
    holders: readonly (readonly number[])[],
  ) {
    this.cid = contentOf(version);
    this.#cluster = cluster;
    this.#target = target;
    this.#version = version;
    this.#holders = holders;
    this.#tried = Array.from({ length: version.pieces }, () => new Set());
  }

  inlineFor(): InlinePiece[] {
    return [];
  }

  isWhole(held: HeldBySlot): boolean {
    return isWholeIn(this.#cluster, held, this.#version);
  }

  isCovered(held: HeldBySlot): boolean {
    return /* rule: linked-pieces-count */ isCoveredIn(this.#cluster, held, this.#version);
  }

  async cover(held: HeldBySlot): Promise<boolean> {
    const missing = lacksIn(this.#cluster, held, this.#version);
    const holders = this.#holders.map((slots, piece) => [
      ...new Set([...holdersIn(this.#cluster, held, piece), ...slots]),
    ]);
    const delivery = new Delivery(this.#cluster, this.#target, this.#version, holders, () => {});
    const isShort = (): boolean => missing.some((count) => count > 0);
    let hasMoved = false;
    for (let tries = 0; isShort(); tries++) {
      const { arrivals } = this.#cluster;
      const lacking = this.#next(missing, held, holders);
      if (lacking.length === 0) {
        // A server that was silent until now may take what the others do not.
        if (await hearsMore(this.#cluster, arrivals, tries)) continue;
        // With parity not every piece must find a server.
        return hasParity(this.#version) && hasMoved;
      }
      const { arrived, unread } = await delivery.bring(lacking);
      for (const [slot, error] of delivery.refused) this.#refused.set(slot, error);
      for (const { piece } of arrived) missing[piece] = (missing[piece] ?? 0) - 1;
      hasMoved ||= arrived.length > 0;
      if (unread.length === 0) continue;
      this.isLost = true;
      return hasParity(this.#version) && hasMoved;
    }
    return true;
  }

  shortage(): Promise<string> {
    return this.isLost
      ? Promise.resolve("the servers that answer lack a piece of it")
      : shortageOf(this.#cluster, this.#version, this.#refused, []);
  }

  /** For each piece that lacks copies, the servers to try next, and those to copy it from. */
  #next(
    missing: readonly number[],
    held: HeldBySlot,
    holders: readonly (readonly number[])[],
  ): Lacking[] {
    const { config } = this.#cluster.view;
    const homes = homesOf(this.#version, config);
    const order = handingOrder(this.#version, config);
    const piecesOf = (slot: number): number =>
      (held.get(slot)?.length ?? 0) + this.#tried.filter((slots) => slots.has(slot)).length;
    return missing.flatMap((count, piece) => {
      const tried = this.#tried[piece] ?? new Set();
      const to = nextServers(
        this.#cluster,
        candidates(homes, piece, order),
        count,
        (slot) => tried.has(slot) || held.get(slot)?.includes(piece) === true,
        hasParity(this.#version) ? piecesOf : null,
      );
      for (const slot of to) tried.add(slot);
      return to.length > 0 ? [{ piece, from: [...(holders[piece] ?? [])], to }] : [];
    });
  }
}
