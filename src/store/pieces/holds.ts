/**
 * Which names hold which contents, and why (docs/consistency.md sections 2 and 15). A name holds a
 * content while its register or a pending version names it; a content stays while any name holds
 * it. All methods run inside a transaction. Used by store.ts and pieces.ts.
 */
import type { StoredName } from "../../file/names.ts";
import { isDfsError } from "../../errors.ts";
import type { Clock } from "../../io/ports.ts";
import { type Cid, isAncestor, type Register, type Vid } from "../../version.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { ContentRow } from "../catalog/contents.ts";
import type { PendingVersion } from "../catalog/holdings.ts";
import type { Arrival } from "./piece_id.ts";

/** What the register of a name says, as far as holding goes by it. */
type Values = Pick<Register, "acc" | "com">;

const NOTHING: Values = { acc: null, com: null };

/**
 * Does this server know that the version is no longer pending? It is chosen, or an ancestor of what
 * was chosen. A version that is only accepted stays pending: a higher ballot may push it out while
 * its proposer lives and counts on its pieces.
 */
const isOver = ({ com }: Values, vid: Vid): boolean =>
  com !== null && (com.version.vid === vid || isAncestor(com.version, vid));

/** Does the register, or any of these pending versions, have this content? */
const isNamed = ({ acc, com }: Values, pending: readonly PendingVersion[], cid: Cid): boolean =>
  acc?.version.cid === cid ||
  com?.version.cid === cid ||
  pending.some((version) => version.cid === cid);

export class Holds {
  readonly #clock: Clock;
  readonly #catalog: Catalog;

  constructor({ clock }: { clock: Clock }, catalog: Catalog) {
    this.#clock = clock;
    this.#catalog = catalog;
  }

  /**
   * Makes the name hold all good pieces that are here of this content, for a version that may come.
   * It does not matter whether another name holds them, or none does any more. Where the version is
   * over, what just came with it is nobody's.
   */
  link(space: string, name: StoredName, register: Values, vid: Vid, cid: Cid): void {
    const { contents, holdings } = this.#catalog;
    const good = contents.goodOf(space, cid);
    if (good.length === 0) return;
    if (!this.#claim(space, name, register, vid, cid))
      return contents.setIdle(cid, this.#clock.wall());
    for (const { piece, isIdle } of good) {
      holdings.hold(space, name, cid, piece);
      if (isIdle) contents.wake(cid, piece);
    }
  }

  /** Takes in a piece that arrived for a version of a name. */
  arrived(
    { space, name, vid, cid, piece }: Arrival,
    row: Omit<ContentRow, "bad" | "checked">,
  ): void {
    const { contents, holdings } = this.#catalog;
    contents.put(row);
    holdings.setGood(cid, piece);
    const register = this.#registerOf(space, name);
    // Where the register cannot be read, nothing is known to be over.
    if (this.#claim(space, name, register ?? NOTHING, vid, cid))
      holdings.hold(space, name, cid, piece);
    else contents.setIdle(cid, this.#clock.wall());
  }

  /**
   * Makes a version pending, unless it is over. Returns whether the name has a reason to hold the
   * content then. A version that is pending already with another content keeps that one.
   */
  #claim(space: string, name: StoredName, register: Values, vid: Vid, cid: Cid): boolean {
    const { holdings } = this.#catalog;
    // rule: over-is-not-pending
    const isLate = isOver(register, vid);
    const isPending =
      !isLate && holdings.putPending(space, name, { vid, cid, created: this.#clock.wall() });
    return isPending || isNamed(register, holdings.pendingOf(space, name), cid);
  }

  /**
   * COMMIT: the versions in `over` are pending no more, the register has dealt with them. The first
   * of them is the one that is committed, and mostly the only one.
   */
  committed(
    space: string,
    name: StoredName,
    { before, after, over }: { before: Values; after: Values; over: readonly Vid[] },
  ): void {
    const [vid, ...ancestors] = over;
    if (vid !== undefined) this.#catalog.holdings.dropPending(space, name, vid);
    // What a name held before its first version is that of this version, or of others that are
    // pending.
    if (ancestors.length > 0) return this.end(space, name, after, ancestors);
    const cids = [before.acc, before.com].map((known) => known?.version.cid ?? null);
    if (cids.some((cid) => cid !== null && !isNamed(after, [], cid)))
      this.release(space, name, after);
  }

  /** These versions are pending no more. */
  end(space: string, name: StoredName, register: Values, over: readonly Vid[]): void {
    const { holdings } = this.#catalog;
    const pending = holdings.pendingOf(space, name);
    for (const { vid } of pending) if (over.includes(vid)) holdings.dropPending(space, name, vid);
    const left = pending.filter(({ vid }) => !over.includes(vid));
    this.#releaseBut(space, name, register, left);
  }

  /** Ends what the name holds of contents that nothing of it names any more. */
  release(space: string, name: StoredName, register: Values): void {
    this.#releaseBut(space, name, register, this.#catalog.holdings.pendingOf(space, name));
  }

  #releaseBut(
    space: string,
    name: StoredName,
    register: Values,
    pending: readonly PendingVersion[],
  ): void {
    const { contents, holdings } = this.#catalog;
    for (const cid of holdings.cidsOf(space, name)) {
      if (isNamed(register, pending, cid)) continue;
      holdings.drop(space, name, cid);
      contents.setIdle(cid, this.#clock.wall());
    }
  }

  /** Ends that the name holds one piece, which has another home. */
  dropPiece(space: string, name: StoredName, cid: Cid, piece: number): void {
    const { contents, holdings } = this.#catalog;
    holdings.drop(space, name, cid, piece);
    contents.setIdle(cid, this.#clock.wall());
  }

  /** null: the record of the name is damaged, or there is none. */
  #registerOf(space: string, name: StoredName): Register | null {
    try {
      return this.#catalog.register(space, name);
    } catch (error) {
      if (isDfsError(error, "damaged")) return null;
      throw error;
    }
  }
}
