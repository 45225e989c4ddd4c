/**
 * Pages of names: the pages of all live servers, merged, and what they decide of each name. Used by
 * stored_list.ts, and by members and care, which look at all names.
 */
import { DfsError } from "../../errors.ts";
import { KEY_NAME, type Name, type StoredName } from "../../file/names.ts";
import { LIST_PAGE, SMALL_PAGE, STRAGGLER_MS } from "../../limits.ts";
import type { Pair, Vid } from "../../version.ts";
import type { Here } from "../../wire/values.ts";
import type { Cluster } from "../connect/cluster.ts";
import { decide, newest } from "../agree/decide.ts";
import { canRead, type Quorum } from "../../quorum.ts";
import type { Guard } from "../trust/guard.ts";
import {
  horizonOf,
  type Merged,
  namesUpTo,
  NO_VALUES,
  type NameReport,
  type NameReports,
  soundPages,
  type Told,
} from "./merge_pages.ts";

/** What servers report of a name, and whose silence tells something. */
interface Reported {
  readonly reports: NameReports;
  /** The servers whose silence about a name means that it is absent. */
  readonly vouching: readonly number[];
  readonly quorum: Quorum;
}

/** A name with what servers report of it. */
export interface ReportedName extends Reported {
  readonly name: StoredName;
  /** The slots of the servers that answered. */
  readonly answering: readonly number[];
}

/** The pieces of a version that a server has; null where the server does not know the version. */
export function hereOf({ acc, com, here }: NameReport, vid: Vid): Here | null {
  if (acc?.vid === vid) return here[0] ?? null;
  return com?.vid === vid ? (here[acc ? 1 : 0] ?? null) : null;
}

/**
 * Every name that any server knows, as servers know it; deleted names and pending ones too. With
 * `everything` also names of which there are only pending versions. Throws DfsError("tooFew") when
 * no server answers.
 */
export async function* namesIn(
  cluster: Cluster,
  prefix: string,
  everything: boolean,
): AsyncGenerator<ReportedName> {
  const { guard } = cluster.space;
  const known = cluster.space.storedPrefix(prefix);
  if (known === null) return;
  for await (const { names, ...page } of pagesIn(cluster, known, everything))
    for (const [name, reports] of names)
      if (!guard || isWanted(cluster, guard, name, prefix)) yield { ...page, name, reports };
}

function isWanted(cluster: Cluster, guard: Guard, stored: StoredName, prefix: string): boolean {
  if (stored === KEY_NAME) return prefix === "";
  return openedOf(cluster, guard, stored)?.startsWith(prefix) ?? false;
}

/** The name as people know it. null, with a warning: it was not sealed with this user's key. */
export function openedOf(cluster: Cluster, guard: Guard, stored: StoredName): Name | null {
  const name = guard.shown(stored);
  if (name === null)
    cluster.warn(
      "there are names that are not sealed with this user's key; they are left out: if they were put before there was a password, dfs-tool adopt seals them",
    );
  return name;
}

/** One interval of names, sorted, with what servers report of them. See `ReportedName`. */
export interface Page {
  readonly names: readonly Merged[];
  readonly answering: readonly number[];
  readonly vouching: readonly number[];
  readonly quorum: Quorum;
  /**
   * The last name, or common prefix, of the interval; null where no names come after it.
   */
  readonly upTo: string | null;
}

/** How to go through names. */
export interface PagesOptions {
  /** Only what comes after this name, or after this common prefix. */
  readonly after?: string;
  /** With one, of the names of each common prefix only the first that any server knows. */
  readonly delimiter?: string;
  /** Shall names come with whole versions? */
  readonly facts?: boolean;
  /** Only these servers are asked. The generator ends where none of them answers. */
  readonly slots?: readonly number[] | null;
  /**
   * About how many names are wanted: then no page is asked for before the caller wants it. null:
   * all, and the servers work on the next page while the caller looks at this one.
   */
  readonly limit?: number | null;
}

/** All names that begin with `prefix`, a page at a time; see `namesIn`. */
export async function* pagesIn(
  cluster: Cluster,
  prefix: string,
  everything: boolean,
  options: PagesOptions = {},
): AsyncGenerator<Page> {
  const { endless } = cluster;
  const judge = endless.ofOneList();
  const { after: begin = "", delimiter = "", facts = false } = options;
  const { slots = null, limit: wanted = null } = options;
  const range = { prefix, delimiter, facts };
  // Some of the names may be deleted.
  const limit = Math.min(Math.max(wanted ?? LIST_PAGE, SMALL_PAGE), LIST_PAGE);
  const ask = async (after: string) => {
    const page = { after, limit, everything, ...range };
    const isAsked = (slot: number): boolean =>
      !endless.isOut(slot) && (!slots || slots.includes(slot));
    const round = await cluster.ask(
      "list",
      (slot) => (isAsked(slot) ? page : null),
      (replies, { quorum }) => (slots || canRead(quorum, replies.keys()) ? STRAGGLER_MS : null),
    );
    return { ...round, after };
  };
  let asked: ReturnType<typeof ask> | null = null;
  for (let next: string | null = begin; next !== null;) {
    const { replies, view, after } = await (asked ?? ask(next));
    const pages = soundPages(replies, after, range);
    for (const slot of pages.keys()) if (endless.isOut(slot)) pages.delete(slot);
    if (pages.size === 0 && slots) return;
    if (pages.size === 0) throw new DfsError("tooFew", "no server answers");
    const horizon = horizonOf(pages, range);
    next = horizon;
    asked = next === null || wanted !== null ? null : ask(next);
    // A caller that has seen enough never awaits this page.
    asked?.catch(() => {});
    const answering = [...pages.keys()];
    const vouching = answering.filter((slot) => pages.get(slot)?.complete);
    const names = namesUpTo(pages, horizon, range);
    const isOneOut = judge.judge(cluster, "list", limit, view.quorum, pages, names);
    // The fast path asks so few servers that it cannot do without one of them.
    if (isOneOut && slots) return;
    yield { names, answering, vouching, quorum: view.quorum, upTo: horizon };
  }
}

/**
 * Decides a name by what servers report of it. `state` is the current state, or the newest that any
 * server knows where the current one cannot be told.
 */
export function decideByReports({ reports, vouching, quorum }: Reported) {
  const votes = new Map<number, Pair<Told>>();
  for (const [slot, report] of reports) if (!report.damaged) votes.set(slot, report);
  for (const slot of vouching) if (!reports.has(slot)) votes.set(slot, NO_VALUES);
  const decision = decide(quorum, votes);
  if (decision.is === "current") return { is: decision.is, state: decision.current, votes };
  const all = [...votes.values()].flatMap(({ acc, com }) => [acc, com]);
  return { is: decision.is, state: newest(all), votes };
}

/**
 * Is it certain that there is nothing with a common prefix? So it is where so many servers know no
 * name with it that all others together could not have chosen one.
 */
export function isNothing({ vouching, quorum }: Page, [, reports, later]: Merged): boolean {
  const without = vouching.filter((slot) => !reports.has(slot) && !later.includes(slot));
  const decision = decide(quorum, new Map(without.map((slot) => [slot, NO_VALUES])));
  return decision.is === "current";
}
