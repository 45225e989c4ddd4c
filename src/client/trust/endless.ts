/**
 * Decides whose pages of names are not believed any more: a server that lies may send names without
 * end, each after the one before. Used by lists of names and of users.
 *
 * A version that was chosen lies on so many servers that, of more than R that answer, two know it.
 * So names that one server alone tells of are rare, and come to an end.
 */
import { mayBeStored } from "../../file/names.ts";
import type { Clock } from "../../io/ports.ts";
import {
  AGAIN_MS,
  LIST_PAGE_BYTES,
  LONE_NAMES,
  LONE_NAMES_MAX,
  LONE_USERS,
  LONE_USERS_MAX,
  SHORT_PAGES,
} from "../../limits.ts";
import type { ReplyOf } from "../../wire/messages.ts";
import type { Space } from "./space.ts";
import { canRead, type Quorum } from "../../quorum.ts";

/** What pages are about: names, or users. */
type Kind = "list" | "spaces";
type Pages = ReadonlyMap<number, ReplyOf<Kind>>;

/** Names, and the slots that told of each. */
type Sightings = Iterable<
  readonly [name: string, by: ReadonlyMap<number, unknown>, ...more: readonly unknown[]]
>;

/**
 * How many names one server alone may tell of, beyond as many as several servers told of. The first
 * number holds where the others are enough to read, the second where the server cannot be done
 * without.
 */
const MOST_ALONE = {
  list: [LONE_NAMES, LONE_NAMES_MAX],
  spaces: [LONE_USERS, LONE_USERS_MAX],
} as const;

/**
 * The cluster whose servers are judged: it warns its user, and its keys open what the user made.
 */
interface JudgedCluster {
  readonly space: Space;
  readonly warn: (line: string) => void;
  labelOf(slot: number): string;
}

/** The servers whose lists one client does not believe for now. */
export class Endless {
  readonly #clock: Pick<Clock, "now">;
  /** Until when a server is not believed, by slot. */
  readonly #outUntil = new Map<number, number>();

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
  }

  /** Is this server not believed now? */
  isOut(slot: number): boolean {
    return this.#clock.now() < (this.#outUntil.get(slot) ?? 0);
  }

  /** From now on this server is not believed, for some minutes. */
  putOut(slot: number): void {
    this.#outUntil.set(slot, this.#clock.now() + AGAIN_MS);
  }

  /** Judges one list, from its beginning to its end. */
  ofOneList(): ListJudge {
    return new ListJudge(this);
  }
}

/** What servers have told in one list. */
class ListJudge {
  readonly #endless: Endless;
  /**
   * How many names several servers told of; how many names each server alone told of; how many
   * pages each server ended too early.
   */
  readonly #shared = { list: 0, spaces: 0 };
  readonly #lone = { list: new Map<number, number>(), spaces: new Map<number, number>() };
  readonly #short = new Map<number, number>();

  constructor(endless: Endless) {
    this.#endless = endless;
  }

  /**
   * Takes note of names, and of the pages that they come from, which may have up to `limit` each.
   * Returns whether one of these servers is not believed from now on.
   */
  judge(
    cluster: JudgedCluster,
    kind: Kind,
    limit: number,
    quorum: Quorum,
    pages: Pages,
    names: Sightings,
  ): boolean {
    for (const [name, by] of names) this.#count(cluster, kind, name, by);
    for (const [slot, page] of pages) if (isShort(page, limit)) add(this.#short, slot);
    const answering = [...pages.keys()];
    const out = answering.filter((slot) => this.#isTooMuch(cluster, kind, slot, quorum, answering));
    for (const slot of out) {
      this.#endless.putOut(slot);
      cluster.warn(
        `${cluster.labelOf(slot)} tells of ever more names that no other server knows: it is not believed`,
      );
    }
    return out.length > 0;
  }

  #count(cluster: JudgedCluster, kind: Kind, name: string, by: ReadonlyMap<number, unknown>): void {
    const [slot] = by.keys();
    if (by.size > 1) this.#shared[kind]++;
    // A name that this user's keys open was made by this user, whichever server tells of it.
    else if (slot !== undefined && !(mayBeStored(name) && cluster.space.guard?.shown(name)))
      add(this.#lone[kind], slot);
  }

  #isTooMuch(
    { space }: JudgedCluster,
    kind: Kind,
    slot: number,
    quorum: Quorum,
    answering: readonly number[],
  ): boolean {
    if ((this.#short.get(slot) ?? 0) > SHORT_PAGES) return true;
    const others = answering.filter((other) => other !== slot);
    // The only server that answers is believed, unless there are keys to judge it by.
    if (others.length === 0 && !space.guard) return false;
    const [most, mostAtAll] = MOST_ALONE[kind];
    const extra = canRead(quorum, others) ? most : mostAtAll;
    return (this.#lone[kind].get(slot) ?? 0) > extra + this.#shared[kind];
  }
}

const add = (counts: Map<number, number>, slot: number): void =>
  void counts.set(slot, (counts.get(slot) ?? 0) + 1);

/**
 * Does the page end too early? An honest server ends a page when it has enough names or enough
 * bytes.
 */
function isShort(page: ReplyOf<Kind>, limit: number): boolean {
  if (page.done) return false;
  if ("users" in page) return page.users.length < limit;
  if (page.entries.length >= limit) return false;
  const bytes = page.entries.reduce((sum, { name, values, here }) => {
    const held = here.reduce((n, one) => n + one.held.length, 0);
    return sum + Buffer.byteLength(name) + values.length + held;
  }, 0);
  // The other parts of an entry are not counted here, hence a quarter.
  return bytes < LIST_PAGE_BYTES / 4;
}
