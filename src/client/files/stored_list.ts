/**
 * Lists names in the order of the servers, and decides each name as a `get` would decide it, and
 * each common prefix by the names below it. Used by list.ts, which knows the order of sealed names.
 */
import { isDfsError } from "../../errors.ts";
import { KEY_NAME, type StoredName } from "../../file/names.ts";
import { plainBytes } from "../../file/seal.ts";
import { ASKED_AT_ONCE, LIST_PAGE, SERVERS_MAX } from "../../limits.ts";
import { isGone, type Version, type Vid } from "../../version.ts";
import { folderOf, type Level } from "../../wire/levels.ts";
import { slotsToAsk } from "../agree/fast_path.ts";
import { readName } from "../agree/register.ts";
import type { Cluster } from "../connect/cluster.ts";
import { hearsMore } from "../connect/silent.ts";
import { holdersOf } from "../fetch/holders.ts";
import { canRead } from "../../quorum.ts";
import { factsOf } from "./get.ts";
import type { Merged, NameReports, Told } from "./merge_pages.ts";
import { decideByReports, hereOf, isNothing, openedOf, type Page, pagesIn } from "./pages.ts";

/** What a list with facts tells of a file: which version it is, and what its manifest says. */
export type ListedFacts = Omit<ReturnType<typeof factsOf>, "key"> & {
  readonly vid: Vid;
  /** When it was put, in milliseconds since 1970. */
  readonly put: number;
};

export interface Listed {
  readonly name: string;
  readonly bytes: number;
  readonly isIncomplete: boolean;
  /** null where they were not asked for, or where they cannot be told: then it is incomplete. */
  readonly facts: ListedFacts | null;
}

/** A common prefix: below it is at least one name that a list without a delimiter would have. */
export interface Folder {
  readonly prefix: string;
}

export type Entry = Listed | Folder;

/** Names as servers know them. */
export interface StoredRange extends Level {
  /** Only what comes after this name, or after this common prefix. */
  readonly after: string;
  /** How many entries are wanted; null: all. */
  readonly limit: number | null;
  readonly facts: boolean;
}

/** The entries of a range, a page at a time. Throws DfsError("tooFew") when no server answers. */
export async function* storedPages(cluster: Cluster, range: StoredRange): AsyncGenerator<Entry[]> {
  const after = yield* brieflyIn(cluster, range);
  if (after !== null) yield* fullyIn(cluster, { ...range, after });
}

/** Lists by asking all servers. */
async function* fullyIn(cluster: Cluster, range: StoredRange, tries = 0): AsyncGenerator<Entry[]> {
  const { arrivals } = cluster;
  let { after } = range;
  for await (const page of pagesIn(cluster, range.prefix, false, range)) {
    const entries = await entriesOf(cluster, range, page, { arrivals, tries });
    if (!entries) return yield* fullyIn(cluster, { ...range, after }, tries + 1);
    yield entries;
    after = page.upTo ?? after;
  }
}

/**
 * Fast path: lists by asking a few servers, for as long as these can decide every name. Returns the
 * name after which all servers must be asked, or null when the list is complete.
 */
async function* brieflyIn(
  cluster: Cluster,
  range: StoredRange,
): AsyncGenerator<Entry[], string | null> {
  const slots = slotsToAsk(cluster, Math.floor(cluster.ports.random.fraction() * SERVERS_MAX));
  let { after } = range;
  if (!slots) return after;
  for await (const page of pagesIn(cluster, range.prefix, false, { ...range, slots })) {
    const isEnough = canRead(page.quorum, page.vouching);
    const entries = isEnough ? await entriesOf(cluster, range, page, null) : null;
    if (!entries) break;
    yield entries;
    if (page.upTo === null) return null;
    after = page.upTo;
  }
  cluster.askAllForNow();
  return after;
}

/**
 * All entries of a range without a delimiter, if they fit one page; else null. Throws as
 * `storedPages`.
 */
export async function wholeOf(cluster: Cluster, range: StoredRange): Promise<Entry[] | null> {
  for (let tries = 0; ; tries++) {
    const { arrivals } = cluster;
    const pages = pagesIn(cluster, range.prefix, false, { ...range, limit: LIST_PAGE });
    for await (const page of pages) {
      if (page.upTo !== null) return null;
      const entries = await entriesOf(cluster, range, page, { arrivals, tries });
      if (entries) return entries;
    }
  }
}

/** A name that it takes another question to decide, and its place among the entries. */
interface Question {
  readonly at: number;
  readonly name: StoredName;
  readonly folder: StoredName | null;
  /** Does it lack pieces that some server may not have told of? */
  readonly isLacking: boolean;
}

/**
 * All servers were asked: how many had answered late by then, and how often before they were asked
 * in vain.
 */
interface AskedAll {
  readonly arrivals: number;
  readonly tries: number;
}

/**
 * The entries of a page. null where other servers may know more. `asked` null: few were asked.
 */
async function entriesOf(
  cluster: Cluster,
  range: StoredRange,
  page: Page,
  asked: AskedAll | null,
): Promise<Entry[] | null> {
  const entries: (Entry | null)[] = [];
  const questions: Question[] = [];
  const { vouching, quorum } = page;
  for (const merged of page.names) {
    const [name, reports] = merged;
    const folder = folderOf(name, range);
    const shown = shownOf(cluster, name);
    let entry: Entry | null | "open";
    let isLacking = false;
    if (folder !== null) {
      entry = folderIn(cluster, page, merged, folder, shown !== null);
      // Others may not know the name, and then there may be nothing to look into.
      const isAlone = reports.size < vouching.length;
      if (asked === null && entry === "open" && isAlone) return null;
    } else {
      if (shown === null) continue;
      const { is, state } = decideByReports({ reports, vouching, quorum });
      // There may be a million names, so only a name in doubt costs another question.
      entry =
        is === "doubt" ? "open" : listedOf(cluster, range, { name, shown, reports, is, state });
      if (asked === null && (is !== "current" || isOpen(entry))) return null;
      isLacking = isOpen(entry) && entry !== "open" && !isToldByAll(cluster, reports, state);
      if (isLacking) entry = "open";
    }
    if (entry === "open") questions.push({ at: entries.length, name, folder, isLacking });
    entries.push(entry === "open" ? null : entry);
  }
  for (let done = 0; done < questions.length; done += ASKED_AT_ONCE)
    await Promise.all(
      questions.slice(done, done + ASKED_AT_ONCE).map(async (question) => {
        entries[question.at] = await answerTo(cluster, range, question);
      }),
    );
  const found = entries.filter((entry) => entry !== null);
  // A server that was silent until now may have what is missing.
  if (asked === null || !found.some(isOpen)) return found;
  return (await hearsMore(cluster, asked.arrivals, asked.tries)) ? null : found;
}

/**
 * Has every live server told what it holds of this version? A slow one may not have answered yet.
 * One that was restarted in the middle of a put may not know the version, and has pieces of it.
 */
const isToldByAll = (cluster: Cluster, reports: NameReports, state: Told | null): boolean =>
  cluster.live.every((slot) => {
    const report = reports.get(slot);
    return report !== undefined && state !== null && hereOf(report, state.vid) !== null;
  });

const isOpen = (entry: Entry | null | "open"): boolean =>
  entry === "open" || (entry !== null && "name" in entry && entry.isIncomplete);

/** The name as people know it; null where it is not one of this user's files. */
function shownOf(cluster: Cluster, name: StoredName): string | null {
  const { guard } = cluster.space;
  if (name === KEY_NAME) return null;
  return guard ? openedOf(cluster, guard, name) : name;
}

/**
 * The entry of a common prefix; null when there is none, "open" where it must be looked into: its
 * first name is not there, and any other one may be. `isOurs`: the first name is one of the user's.
 */
function folderIn(
  cluster: Cluster,
  page: Page,
  merged: Merged,
  folder: StoredName,
  isOurs: boolean,
): Folder | null | "open" {
  const { guard } = cluster.space;
  const [, reports] = merged;
  const { vouching, quorum } = page;
  const { is, state } = decideByReports({ reports, vouching, quorum });
  const isThere = is === "current" && isOurs && state !== null && !state.deleted;
  if (/* rule: folders-are-decided */ isThere) return { prefix: cluster.space.shown(folder) };
  if (/* rule: folders-are-looked-into */ isNothing(page, merged)) return null;
  return guard && guard.shown(folder) === null ? null : "open";
}

async function answerTo(
  cluster: Cluster,
  range: StoredRange,
  { name, folder, isLacking }: Question,
): Promise<Entry | null> {
  if (folder === null) return listedByReading(cluster, range, name, isLacking);
  const below = { prefix: folder, delimiter: "", after: "", limit: 1, facts: false };
  for await (const entries of storedPages(cluster, below))
    if (entries.length > 0) return { prefix: cluster.space.shown(folder) };
  return null;
}

/** What is known of a name, as a list has it. */
interface Known {
  readonly name: StoredName;
  readonly shown: string;
  readonly reports: NameReports;
  readonly is: string;
  readonly state: Told | null;
}

/** The entry of a file; null when there is none, "open" where its facts must be asked for. */
function listedOf(
  cluster: Cluster,
  range: StoredRange,
  { name, shown, reports, is, state }: Known,
): Listed | null | "open" {
  if (!state || state.deleted) return null;
  const held: number[] = [];
  for (const report of reports.values())
    for (const piece of hereOf(report, state.vid)?.held ?? [])
      if (!held.includes(piece)) held.push(piece);
  const isIncomplete = is !== "current" || held.length < state.needed;
  const wanted = is === "current" && range.facts ? (state.version ?? null) : null;
  const facts = wanted && factsIn(cluster, shown, name, wanted);
  if (wanted && !facts) return "open";
  return { name: shown, bytes: bytesOf(cluster, state.size), isIncomplete, facts };
}

/** null where the user did not make the version, or where its manifest does not read. */
function factsIn(
  cluster: Cluster,
  shown: string,
  name: StoredName,
  version: Version,
): ListedFacts | null {
  try {
    const { key: _, ...facts } = factsOf(cluster, shown, name, version);
    return { ...facts, vid: version.vid, put: version.put };
  } catch (error) {
    if (isDfsError(error, "integrity", "protocol")) return null;
    throw error;
  }
}

/** The size of a file of which `stored` bytes are stored. */
const bytesOf = (cluster: Cluster, stored: number): number =>
  cluster.space.guard ? plainBytes(stored) : stored;

async function listedByReading(
  cluster: Cluster,
  { facts: isWanted }: StoredRange,
  name: StoredName,
  isLacking: boolean,
): Promise<Listed | null> {
  const reading = await readName(cluster, name, isLacking ? { patienceMs: null } : {});
  const version = reading.current?.version ?? null;
  if (!version || isGone(version)) return null;
  const shown = cluster.space.shown(name);
  const found = holdersOf(version, reading.replies).filter((slots) => slots.length > 0).length;
  const facts = isWanted ? factsIn(cluster, shown, name, version) : null;
  return {
    name: shown,
    bytes: bytesOf(cluster, version.size),
    isIncomplete:
      reading.is !== "current" || found < version.needed || (isWanted && facts === null),
    facts,
  };
}
