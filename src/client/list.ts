/** list: pages of all live servers merged, each name decided as a get would decide it. */
import { decode } from "../bytes.ts";
import { DfsError, isDfsError } from "../errors.ts";
import { compareNames, KEY_NAME, mayBeStored } from "../file/names.ts";
import { plainBytes } from "../file/seal.ts";
import { LIST_PAGE, SERVERS_MAX, STRAGGLER_MS } from "../limits.ts";
import { isGone, type Outline, outlinesCodec, type Pair, type Vid } from "../version.ts";
import type { Here, ListEntry } from "../wire/messages.ts";
import { few } from "./brief.ts";
import type { Cluster, Replies } from "./cluster.ts";
import { canRead, decide, newest, type Quorum } from "./decide.ts";
import type { Guard } from "./guard.ts";
import { holdersOf } from "./holders.ts";
import { readName } from "./register.ts";

export interface Listed {
  readonly name: string;
  readonly bytes: number;
  readonly isIncomplete: boolean;
}

/**
 * All names that begin with `prefix`, sorted by their bytes. Where names are sealed servers have another order, and all are here before
 * the first is told. Throws DfsError("tooFew") when no server answers.
 */
export const list = (cluster: Cluster, prefix: string): AsyncGenerator<Listed> =>
  cluster.guard ? listSealed(cluster, prefix) : listStored(cluster, prefix);

async function* listSealed(cluster: Cluster, prefix: string): AsyncGenerator<Listed> {
  const all: Listed[] = [];
  for await (const listed of listStored(cluster, prefix)) all.push(listed);
  yield* all.sort((a, b) => compareNames(a.name, b.name));
}

async function* listStored(cluster: Cluster, prefix: string): AsyncGenerator<Listed> {
  const after = yield* listBriefly(cluster, prefix);
  if (after === null) return;
  for await (const names of wantedIn(cluster, prefix, false, after))
    for (const one of names) {
      if (one.name === KEY_NAME) continue;
      const { is, state } = conclude(one);
      // Only what has to be asked for is waited for: there may be a million names.
      const listed =
        is === "doubt" ? await inDoubt(cluster, one.name) : judge(cluster, one, is, state);
      if (listed) yield listed;
    }
}

/** As few servers tell it, for as long as nobody is needed to add to it; returns the name after which the others must be asked, or null. */
async function* listBriefly(
  cluster: Cluster,
  prefix: string,
): AsyncGenerator<Listed, string | null> {
  const slots = few(cluster, Math.floor(cluster.ports.random.fraction() * SERVERS_MAX));
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

/** What a list says of a page; null where others might add to it. */
function listedBy(cluster: Cluster, page: Page): Listed[] | null {
  if (!canRead(page.quorum, page.vouching)) return null;
  const all: Listed[] = [];
  for (const [name, said] of page.names) {
    if (name === KEY_NAME) continue;
    const one = { ...page, name, said };
    const { is, state } = conclude(one);
    const listed = judge(cluster, one, is, state);
    if (is !== "current" || listed?.isIncomplete) return null;
    if (listed) all.push(listed);
  }
  return all;
}

/** A name, what servers say of it, by slot, which of them answered, and whose silence means "absent". */
export interface NameSaid {
  readonly name: string;
  readonly said: Said;
  readonly answering: readonly number[];
  readonly vouching: readonly number[];
  readonly quorum: Quorum;
}

type Said = ReadonlyMap<number, Told>;

/** What one server says of a name. */
export interface Told extends Pair<Outline> {
  /** It cannot tell, and counts as down for this name. */
  readonly damaged: boolean;
  readonly others: boolean;
  readonly here: readonly Here[];
}

/** What a server has of a version itself; null where it does not know it. */
export function hereOf({ acc, com, here }: Told, vid: Vid): Here | null {
  if (acc?.vid === vid) return here[0] ?? null;
  return com?.vid === vid ? (here[acc ? 1 : 0] ?? null) : null;
}

/**
 * Every name that any server knows, as it knows it, deleted and pending ones too; with `everything` those of mere pieces as well. Throws
 * DfsError("tooFew") when no server answers.
 */
export async function* namesIn(
  cluster: Cluster,
  prefix: string,
  everything: boolean,
): AsyncGenerator<NameSaid> {
  for await (const names of wantedIn(cluster, prefix, everything)) yield* names;
}

/** The same, a page at a time. */
async function* wantedIn(
  cluster: Cluster,
  prefix: string,
  everything: boolean,
  after = "",
): AsyncGenerator<NameSaid[]> {
  const { guard } = cluster;
  // Servers can tell what is in a folder, and not what begins with part of a name.
  const known = guard ? guard.stored(prefix.slice(0, prefix.lastIndexOf("/") + 1)) : prefix;
  const pages = pagesIn(cluster, known, everything, { after });
  for await (const { names, answering, vouching, quorum } of pages) {
    const wanted = guard ? names.filter(([name]) => isWanted(cluster, guard, name, prefix)) : names;
    yield wanted.map(([name, said]) => ({ name, said, answering, vouching, quorum }));
  }
}

function isWanted(cluster: Cluster, guard: Guard, stored: string, prefix: string): boolean {
  if (stored === KEY_NAME) return prefix === "";
  const name = guard.shown(stored);
  if (name === null)
    cluster.warn("there are names that are not sealed with this user's key; they are left out");
  return name?.startsWith(prefix) ?? false;
}

/** The names of one interval, sorted, who answered, and whose silence on any other means that it is absent. */
export interface Page {
  readonly names: readonly (readonly [string, Said])[];
  readonly answering: readonly number[];
  readonly vouching: readonly number[];
  readonly quorum: Quorum;
  /** The last name that it may have; null: there is none after it. */
  readonly upTo: string | null;
}

/**
 * All names after `after`, a page at a time; see `namesIn`. While one page is looked at the servers are at work on the next one. With
 * `slots` only these are asked, and it ends where none of them answers.
 */
export async function* pagesIn(
  cluster: Cluster,
  prefix: string,
  everything: boolean,
  { after: begin = "", slots = null }: { after?: string; slots?: readonly number[] | null } = {},
): AsyncGenerator<Page> {
  const ask = async (after: string) => {
    const page = { after, prefix, limit: LIST_PAGE, everything };
    const round = await cluster.ask(
      "list",
      (slot) => (!slots || slots.includes(slot) ? page : null),
      (so, { quorum }) => (slots || canRead(quorum, so.keys()) ? STRAGGLER_MS : null),
    );
    return { ...round, after };
  };
  for (let asked: ReturnType<typeof ask> | null = ask(begin); asked !== null;) {
    const { replies, view, after } = await asked;
    const pages = soundPages(replies, after);
    if (pages.size === 0 && slots) return;
    if (pages.size === 0) throw new DfsError("tooFew", "no server answers");
    const horizon = horizonOf(pages);
    asked = horizon === null ? null : ask(horizon);
    // Nobody waits for it where the caller has seen enough.
    asked?.catch(() => {});
    const vouching = [...pages].flatMap(([slot, { complete }]) => (complete ? [slot] : []));
    const names = namesUpTo(pages, horizon);
    yield { names, answering: [...pages.keys()], vouching, quorum: view.quorum, upTo: horizon };
  }
}

/** Those of names that there can be, in order, after that one: else a server could keep a client busy for ever, or write anything on a terminal. */
function soundPages(replies: Replies<"list">, after: string): Replies<"list"> {
  const sound: Replies<"list"> = new Map();
  let like: readonly ListEntry[] = [];
  for (const [slot, reply] of replies) {
    const { entries, done } = reply;
    // Mostly all begin with the same names, and to see that takes less than to compare each with the one before.
    let isLike = true;
    const isSound = entries.every(({ name }, i) => {
      isLike &&= name === like[i]?.name;
      return isLike || (mayBeStored(name) && compareNames(entries[i - 1]?.name ?? after, name) < 0);
    });
    if (!isSound || (!done && entries.length === 0)) continue;
    sound.set(slot, reply);
    like = entries;
  }
  return sound;
}

/** Beyond the smallest last name of an unfinished page nothing can be told yet; null when all pages are finished. */
function horizonOf(pages: Replies<"list">): string | null {
  let horizon: string | null = null;
  for (const { entries, done } of pages.values()) {
    const last = entries.at(-1)?.name;
    if (done || last === undefined) continue;
    if (horizon === null || compareNames(last, horizon) < 0) horizon = last;
  }
  return horizon;
}

const NOTHING: Pair<Outline> = { acc: null, com: null };

/** null: they are no such bytes, and their server may as well have said nothing. */
function outlinesIn(bytes: Uint8Array): Pair<Outline> | null {
  try {
    return decode(outlinesCodec, bytes);
  } catch (error) {
    if (isDfsError(error, "protocol")) return null;
    throw error;
  }
}

/** The pages, each in order, merged. Mostly all say the same of a name, which then is read once. */
function namesUpTo(pages: Replies<"list">, horizon: string | null): [string, Said][] {
  const names: [string, Said][] = [];
  const heads = [...pages].map(([slot, { entries }]) => ({ slot, entries, at: 0 }));
  for (;;) {
    let name: string | null = null;
    for (const { entries, at } of heads) {
      const next = entries[at]?.name ?? null;
      if (next !== null && (name === null || compareNames(next, name) < 0)) name = next;
    }
    if (name === null || (horizon !== null && compareNames(name, horizon) > 0)) return names;
    const said = new Map<number, Told>();
    let known: Uint8Array | null = null;
    let outlines: Pair<Outline> | null = null;
    for (const head of heads) {
      const entry = head.entries[head.at];
      if (entry?.name !== name) continue;
      head.at++;
      if (known === null || Buffer.compare(known, entry.outlines) !== 0) {
        known = entry.outlines;
        outlines = outlinesIn(known);
      }
      const { others, here } = entry;
      const { acc, com } = outlines ?? NOTHING;
      said.set(head.slot, { damaged: entry.damaged || outlines === null, others, acc, com, here });
    }
    names.push([name, said]);
  }
}

/** What follows from it: as decide says, and the current state, or the newest that anybody knows where that cannot be told. */
export function conclude({ said, vouching, quorum }: NameSaid) {
  const votes = new Map<number, Pair<Outline>>();
  for (const [slot, told] of said) if (!told.damaged) votes.set(slot, told);
  for (const slot of vouching) if (!said.has(slot)) votes.set(slot, NOTHING);
  const decision = decide(quorum, votes);
  if (decision.is === "current") return { is: decision.is, state: decision.current, votes };
  const all = [...votes.values()].flatMap(({ acc, com }) => [acc, com]);
  return { is: decision.is, state: newest(all), votes };
}

/** What a list says of a name whose state is this, or of which nothing newer is known; null when there is no such file. */
function judge(cluster: Cluster, one: NameSaid, is: string, state: Outline | null): Listed | null {
  if (!state || state.deleted) return null;
  const held: number[] = [];
  for (const told of one.said.values())
    for (const piece of hereOf(told, state.vid)?.held ?? [])
      if (!held.includes(piece)) held.push(piece);
  const isIncomplete = is !== "current" || held.length < state.needed;
  return { name: cluster.shown(one.name), bytes: bytesOf(cluster, state.size), isIncomplete };
}

/** Bytes of a file of which so many are stored. */
const bytesOf = (cluster: Cluster, stored: number): number =>
  cluster.guard ? plainBytes(stored) : stored;

async function inDoubt(cluster: Cluster, name: string): Promise<Listed | null> {
  const reading = await readName(cluster, name);
  const version = reading.current?.version ?? null;
  if (!version || isGone(version)) return null;
  const found = holdersOf(version, reading.replies).filter((slots) => slots.length > 0).length;
  return {
    name: cluster.shown(name),
    bytes: bytesOf(cluster, version.size),
    isIncomplete: reading.is !== "current" || found < version.needed,
  };
}
