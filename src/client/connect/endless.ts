/**
 * Which servers' pages to believe no longer: a server that lies may have names without end, each after the one before. A version that was
 * chosen lies on so many servers that of more than R that answer two know it: what one alone tells of is rare, and ends.
 */
import {
  LIST_PAGE,
  LIST_PAGE_BYTES,
  LONE_NAMES,
  LONE_NAMES_MAX,
  LONE_USERS,
  LONE_USERS_MAX,
  SHORT_PAGES,
  USERS_PAGE,
} from "../../limits.ts";
import type { ReplyOf } from "../../wire/messages.ts";
import type { Space } from "../trust/space.ts";
import { canRead, type Quorum } from "../../quorum.ts";

/** What there are pages of: names, or users. */
type Kind = "list" | "spaces";
type Pages = ReadonlyMap<number, ReplyOf<Kind>>;

/** Names, and by which slots each is told. */
type Named = Iterable<readonly [name: string, by: ReadonlyMap<number, unknown>]>;

/** How many names one server may tell of alone, beyond as many as others know too; and where one cannot do without it. */
const MOST = {
  list: [LONE_NAMES, LONE_NAMES_MAX],
  spaces: [LONE_USERS, LONE_USERS_MAX],
} as const;

/** The cluster whose servers are judged: it tells its user, and its keys open what the user made. */
interface Judged {
  readonly space: Space;
  readonly warn: (line: string) => void;
  labelOf(slot: number): string;
}

/** What one client has seen of all servers. */
export class Endless {
  /** How many names several servers told of; and how many each told of alone, and the pages that it ended too early. */
  readonly #shared = { list: 0, spaces: 0 };
  readonly #lone = { list: new Map<number, number>(), spaces: new Map<number, number>() };
  readonly #short = new Map<number, number>();
  readonly #out = new Set<number>();

  /** Is it believed no longer? */
  isOut(slot: number): boolean {
    return this.#out.has(slot);
  }

  /** Takes note of names and of the pages that they are from, which have more to come; returns whether one of their servers is out now. */
  judge(cluster: Judged, kind: Kind, quorum: Quorum, pages: Pages, names: Named): boolean {
    for (const [name, by] of names) this.#count(cluster, kind, name, by);
    for (const [slot, page] of pages) if (isShort(page)) add(this.#short, slot);
    const answering = [...pages.keys()];
    const out = answering.filter((slot) => this.#isTooMuch(cluster, kind, slot, quorum, answering));
    for (const slot of out) {
      this.#out.add(slot);
      cluster.warn(
        `${cluster.labelOf(slot)} tells of ever more names that no other server knows: it is not believed`,
      );
    }
    return out.length > 0;
  }

  #count(cluster: Judged, kind: Kind, name: string, by: ReadonlyMap<number, unknown>): void {
    const [slot] = by.keys();
    if (by.size > 1) this.#shared[kind]++;
    // What this user's keys open was made by this user, whoever has it.
    else if (slot !== undefined && (cluster.space.guard?.shown(name) ?? null) === null)
      add(this.#lone[kind], slot);
  }

  #isTooMuch(
    { space }: Judged,
    kind: Kind,
    slot: number,
    quorum: Quorum,
    answering: readonly number[],
  ): boolean {
    if ((this.#short.get(slot) ?? 0) > SHORT_PAGES) return true;
    const others = answering.filter((other) => other !== slot);
    // Who is alone is all there is to go by, unless there are keys.
    if (others.length === 0 && !space.guard) return false;
    const [most, mostAtAll] = MOST[kind];
    const extra = canRead(quorum, others) ? most : mostAtAll;
    return (this.#lone[kind].get(slot) ?? 0) > extra + this.#shared[kind];
  }
}

const add = (counts: Map<number, number>, slot: number): void =>
  void counts.set(slot, (counts.get(slot) ?? 0) + 1);

/** Does it end before there is a reason to? A server that is honest ends pages at their number, or their bytes. */
function isShort(page: ReplyOf<Kind>): boolean {
  if (page.done) return false;
  if ("users" in page) return page.users.length < USERS_PAGE;
  if (page.entries.length >= LIST_PAGE) return false;
  const bytes = page.entries.reduce((sum, { name, outlines, here }) => {
    const held = here.reduce((n, one) => n + one.held.length, 0);
    return sum + Buffer.byteLength(name) + outlines.length + held;
  }, 0);
  // What else there is of an entry does not count here.
  return bytes < LIST_PAGE_BYTES / 4;
}
