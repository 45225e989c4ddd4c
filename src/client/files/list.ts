/**
 * `list`: the names of a space. It merges the pages of all live servers, and decides each name as a
 * `get` would decide it. Used by the commands, and by members and care, which look at all names.
 */
import { DfsError } from "../../errors.ts";
import { compareNames, KEY_NAME, type StoredName } from "../../file/names.ts";
import { plainBytes } from "../../file/seal.ts";
import { LIST_PAGE, SERVERS_MAX, STRAGGLER_MS } from "../../limits.ts";
import { isGone, type Outline, type Pair, type Vid } from "../../version.ts";
import type { Here } from "../../wire/values.ts";
import { slotsToAsk } from "../agree/fast_path.ts";
import type { Cluster } from "../connect/cluster.ts";
import { decide, newest } from "../agree/decide.ts";
import { canRead, type Quorum } from "../../quorum.ts";
import type { Guard } from "../trust/guard.ts";
import { holdersOf } from "../fetch/holders.ts";
import {
  horizonOf,
  namesUpTo,
  NO_VALUES,
  type NameReports,
  soundPages,
  type NameReport,
} from "./merge_pages.ts";
import { readName } from "../agree/register.ts";
import { hearsMore } from "../connect/silent.ts";

export interface Listed {
  readonly name: string;
  readonly bytes: number;
  readonly isIncomplete: boolean;
}

/**
 * All names that begin with `prefix`, sorted by their bytes. Servers have another order where names
 * are sealed; then all names are fetched before the first is yielded. Throws DfsError("tooFew")
 * when no server answers.
 */
export const list = (cluster: Cluster, prefix: string): AsyncGenerator<Listed> =>
  cluster.space.guard ? listSealed(cluster, prefix) : listStored(cluster, prefix);

/** Does any name begin with `prefix`? Throws as `list`. */
export async function hasAny(cluster: Cluster, prefix: string): Promise<boolean> {
  const names = list(cluster, prefix);
  const { done } = await names.next();
  await names.return(undefined);
  return !done;
}

async function* listSealed(cluster: Cluster, prefix: string): AsyncGenerator<Listed> {
  const all: Listed[] = [];
  for await (const listed of listStored(cluster, prefix)) all.push(listed);
  yield* all.sort((a, b) => compareNames(a.name, b.name));
}

async function* listStored(cluster: Cluster, prefix: string): AsyncGenerator<Listed> {
  if (cluster.space.storedPrefix(prefix) === null) return;
  const after = yield* listBriefly(cluster, prefix);
  if (after !== null) yield* listFully(cluster, prefix, after);
}

/** Lists the names after `begin` by asking all servers. */
async function* listFully(cluster: Cluster, prefix: string, begin: string): AsyncGenerator<Listed> {
  const { arrivals } = cluster;
  let after = begin;
  for await (const names of wantedIn(cluster, prefix, false, begin))
    for (const reported of names) {
      if (reported.name === KEY_NAME) continue;
      const { is, state } = decideByReports(reported);
      // There may be a million names, so only a name in doubt costs another question.
      const listed =
        is === "doubt"
          ? await listedByReading(cluster, reported.name)
          : listedOf(cluster, reported, is, state);
      // A server that was silent until now may have what is missing.
      if (listed?.isIncomplete && (await hearsMore(cluster, arrivals)))
        return yield* listFully(cluster, prefix, after);
      after = reported.name;
      if (listed) yield listed;
    }
}

/**
 * Fast path: lists names by asking a few servers, for as long as these can decide every name.
 * Returns the name after which all servers must be asked, or null when the list is complete.
 */
async function* listBriefly(
  cluster: Cluster,
  prefix: string,
): AsyncGenerator<Listed, string | null> {
  const slots = slotsToAsk(cluster, Math.floor(cluster.ports.random.fraction() * SERVERS_MAX));
  if (!slots) return "";
  let after = "";
  for await (const page of pagesIn(cluster, prefix, false, { slots })) {
    const listed = listedBy(cluster, page);
    if (!listed) break;
    yield* listed;
    if (page.upTo === null) return null;
    after = page.upTo;
  }
  cluster.asksAll = true;
  return after;
}

/** The list entries of a page; null where other servers might know more. */
function listedBy(cluster: Cluster, page: Page): Listed[] | null {
  if (!canRead(page.quorum, page.vouching)) return null;
  const all: Listed[] = [];
  for (const [name, reports] of page.names) {
    if (name === KEY_NAME) continue;
    const reported = { ...page, name, reports };
    const { is, state } = decideByReports(reported);
    const listed = listedOf(cluster, reported, is, state);
    if (is !== "current" || listed?.isIncomplete) return null;
    if (listed) all.push(listed);
  }
  return all;
}

/** A name with what servers report of it. */
export interface ReportedName {
  readonly name: StoredName;
  readonly reports: NameReports;
  /** The slots of the servers that answered. */
  readonly answering: readonly number[];
  /** The servers among them whose silence about a name means that it is absent. */
  readonly vouching: readonly number[];
  readonly quorum: Quorum;
}

/** The pieces of a version that a server has; null where the server does not know the version. */
export function hereOf({ acc, com, here }: NameReport, vid: Vid): Here | null {
  if (acc?.vid === vid) return here[0] ?? null;
  return com?.vid === vid ? (here[acc ? 1 : 0] ?? null) : null;
}

/**
 * Every name that any server knows, as servers know it; deleted names and pending ones too. With
 * `everything` also names of which there are only pieces. Throws DfsError("tooFew") when no server
 * answers.
 */
export async function* namesIn(
  cluster: Cluster,
  prefix: string,
  everything: boolean,
): AsyncGenerator<ReportedName> {
  for await (const names of wantedIn(cluster, prefix, everything)) yield* names;
}

/** `namesIn`, a page at a time. */
async function* wantedIn(
  cluster: Cluster,
  prefix: string,
  everything: boolean,
  after = "",
): AsyncGenerator<ReportedName[]> {
  const { guard } = cluster.space;
  const known = cluster.space.storedPrefix(prefix);
  if (known === null) return;
  const pages = pagesIn(cluster, known, everything, { after });
  for await (const { names, answering, vouching, quorum } of pages) {
    const wanted = guard ? names.filter(([name]) => isWanted(cluster, guard, name, prefix)) : names;
    yield wanted.map(([name, reports]) => ({ name, reports, answering, vouching, quorum }));
  }
}

function isWanted(cluster: Cluster, guard: Guard, stored: StoredName, prefix: string): boolean {
  if (stored === KEY_NAME) return prefix === "";
  const name = guard.shown(stored);
  if (name === null)
    cluster.warn(
      "there are names that are not sealed with this user's key; they are left out: if they were put before there was a password, dfs-tool adopt seals them",
    );
  return name?.startsWith(prefix) ?? false;
}

/** One interval of names, sorted, with what servers report of them. See `ReportedName`. */
export interface Page {
  readonly names: readonly (readonly [StoredName, NameReports])[];
  readonly answering: readonly number[];
  readonly vouching: readonly number[];
  readonly quorum: Quorum;
  /** The last name of the interval; null where no names come after it. */
  readonly upTo: string | null;
}

/**
 * All names after `after`, a page at a time; see `namesIn`. The servers work on the next page while
 * the caller looks at this one. With `slots` only these servers are asked, and the generator ends
 * where none of them answers.
 */
export async function* pagesIn(
  cluster: Cluster,
  prefix: string,
  everything: boolean,
  { after: begin = "", slots = null }: { after?: string; slots?: readonly number[] | null } = {},
): AsyncGenerator<Page> {
  const { endless } = cluster;
  const ask = async (after: string) => {
    const page = { after, prefix, limit: LIST_PAGE, everything };
    const isAsked = (slot: number): boolean =>
      !endless.isOut(slot) && (!slots || slots.includes(slot));
    const round = await cluster.ask(
      "list",
      (slot) => (isAsked(slot) ? page : null),
      (replies, { quorum }) => (slots || canRead(quorum, replies.keys()) ? STRAGGLER_MS : null),
    );
    return { ...round, after };
  };
  for (let asked: ReturnType<typeof ask> | null = ask(begin); asked !== null;) {
    const { replies, view, after } = await asked;
    const pages = soundPages(replies, after);
    for (const slot of pages.keys()) if (endless.isOut(slot)) pages.delete(slot);
    if (pages.size === 0 && slots) return;
    if (pages.size === 0) throw new DfsError("tooFew", "no server answers");
    const horizon = horizonOf(pages);
    asked = horizon === null ? null : ask(horizon);
    // A caller that has seen enough never awaits this page.
    asked?.catch(() => {});
    const answering = [...pages.keys()];
    const vouching = answering.filter((slot) => pages.get(slot)?.complete);
    const names = namesUpTo(pages, horizon);
    const isOneOut = horizon !== null && endless.judge(cluster, "list", view.quorum, pages, names);
    // The fast path asks so few servers that it cannot do without one of them.
    if (isOneOut && slots) return;
    yield { names, answering, vouching, quorum: view.quorum, upTo: horizon };
  }
}

/**
 * Decides a name by what servers report of it. `state` is the current state, or the newest that any
 * server knows where the current one cannot be told.
 */
export function decideByReports({ reports, vouching, quorum }: ReportedName) {
  const votes = new Map<number, Pair<Outline>>();
  for (const [slot, report] of reports) if (!report.damaged) votes.set(slot, report);
  for (const slot of vouching) if (!reports.has(slot)) votes.set(slot, NO_VALUES);
  const decision = decide(quorum, votes);
  if (decision.is === "current") return { is: decision.is, state: decision.current, votes };
  const all = [...votes.values()].flatMap(({ acc, com }) => [acc, com]);
  return { is: decision.is, state: newest(all), votes };
}

/** The list entry of a name with this state; null when there is no such file. */
function listedOf(
  cluster: Cluster,
  reported: ReportedName,
  is: string,
  state: Outline | null,
): Listed | null {
  if (!state || state.deleted) return null;
  const held: number[] = [];
  for (const report of reported.reports.values())
    for (const piece of hereOf(report, state.vid)?.held ?? [])
      if (!held.includes(piece)) held.push(piece);
  const isIncomplete = is !== "current" || held.length < state.needed;
  return {
    name: cluster.space.shown(reported.name),
    bytes: bytesOf(cluster, state.size),
    isIncomplete,
  };
}

/** The size of a file of which `stored` bytes are stored. */
const bytesOf = (cluster: Cluster, stored: number): number =>
  cluster.space.guard ? plainBytes(stored) : stored;

async function listedByReading(cluster: Cluster, name: StoredName): Promise<Listed | null> {
  const reading = await readName(cluster, name);
  const version = reading.current?.version ?? null;
  if (!version || isGone(version)) return null;
  const found = holdersOf(version, reading.replies).filter((slots) => slots.length > 0).length;
  return {
    name: cluster.space.shown(name),
    bytes: bytesOf(cluster, version.size),
    isIncomplete: reading.is !== "current" || found < version.needed,
  };
}
