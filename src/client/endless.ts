/**
 * Which servers' pages to believe no longer: a server that lies may have names without end, each after the one before. Of a version that
 * was chosen more than R servers that answer cannot leave one that stands alone with it; so what one alone tells of is rare, and ends.
 */
import {
  LIST_PAGE,
  LIST_PAGE_BYTES,
  LONE_FACTOR,
  LONE_NAMES,
  SHORT_PAGES,
  USERS_PAGE,
} from "../limits.ts";
import type { ReplyOf } from "../wire/messages.ts";
import type { Cluster } from "./cluster.ts";
import { canRead, type Quorum } from "./decide.ts";

/** Names, and by which slots each is told. */
type Named = Iterable<readonly [name: string, by: ReadonlyMap<number, unknown>]>;

export class Endless {
  /** How many names several servers told of; and how many each told of alone, and pages that it ended too early. */
  #shared = 0;
  readonly #lone = new Map<number, number>();
  readonly #short = new Map<number, number>();
  readonly #out = new Set<number>();

  /** Is it believed no longer? */
  isOut(slot: number): boolean {
    return this.#out.has(slot);
  }

  /** Takes note of names and of the pages that they are from, which have more to come; returns whether one of their servers is out now. */
  judge(
    cluster: Cluster,
    quorum: Quorum,
    pages: ReadonlyMap<number, ReplyOf<"list"> | ReplyOf<"spaces">>,
    names: Named,
  ): boolean {
    for (const [name, by] of names) this.#count(cluster, name, by);
    for (const [slot, page] of pages)
      if (isShort(page)) this.#short.set(slot, (this.#short.get(slot) ?? 0) + 1);
    const out = [...pages.keys()].filter((slot) =>
      this.#isTooMuch(slot, quorum, [...pages.keys()], cluster.guard !== null),
    );
    for (const slot of out) {
      this.#out.add(slot);
      cluster.warn(
        `${cluster.labelOf(slot)} tells of ever more names that no other server knows: it is not believed`,
      );
    }
    return out.length > 0;
  }

  #count(cluster: Cluster, name: string, by: ReadonlyMap<number, unknown>): void {
    const [slot] = by.keys();
    if (by.size > 1) this.#shared++;
    // What this user's keys open was made by this user, whoever has it.
    else if (slot !== undefined && (cluster.guard?.shown(name) ?? null) === null)
      this.#lone.set(slot, (this.#lone.get(slot) ?? 0) + 1);
  }

  #isTooMuch(
    slot: number,
    quorum: Quorum,
    answering: readonly number[],
    hasKeys: boolean,
  ): boolean {
    if ((this.#short.get(slot) ?? 0) > SHORT_PAGES) return true;
    const others = answering.filter((other) => other !== slot);
    // Who is alone is all there is to go by, unless there are keys.
    if (others.length === 0 && !hasKeys) return false;
    const most = canRead(quorum, others) ? LONE_NAMES : LONE_NAMES * LONE_FACTOR;
    return (this.#lone.get(slot) ?? 0) > most + this.#shared;
  }
}

/** Does it end before there is a reason to? A server that is honest ends pages of names at their number or their bytes. */
function isShort(page: ReplyOf<"list"> | ReplyOf<"spaces">): boolean {
  if (page.done) return false;
  if ("users" in page) return page.users.length < USERS_PAGE;
  if (page.entries.length >= LIST_PAGE) return false;
  const bytes = page.entries.reduce((sum, { name, outlines, here }) => {
    const held = here.reduce((n, one) => n + one.held.length, 0);
    return sum + Buffer.byteLength(name) + outlines.length + held;
  }, 0);
  return bytes < LIST_PAGE_BYTES / 4;
}
