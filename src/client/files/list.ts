/** list: pages of all live servers merged, each name decided as a get would decide it. */
import { DfsError } from "../../errors.ts";
import { compareNames, KEY_NAME } from "../../file/names.ts";
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
import { horizonOf, namesUpTo, NOTHING, type Said, soundPages, type Told } from "./merge_pages.ts";
import { readName } from "../agree/register.ts";
import { hearsMore } from "../connect/silent.ts";

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
  cluster.space.guard ? listSealed(cluster, prefix) : listStored(cluster, prefix);

/** Is there any name that begins so? Throws as `list`. */
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
  const after = yield* listBriefly(cluster, prefix);
  if (after !== null) yield* listFully(cluster, prefix, after);
}

/** The names after that one, as all servers tell them. */
async function* listFully(cluster: Cluster, prefix: string, begin: string): AsyncGenerator<Listed> {
  const { arrivals } = cluster;
  let after = begin;
  for await (const names of wantedIn(cluster, prefix, false, begin))
    for (const one of names) {
      if (one.name === KEY_NAME) continue;
      const { is, state } = conclude(one);
      // Only what has to be asked for is waited for: there may be a million names.
      const listed =
        is === "doubt" ? await inDoubt(cluster, one.name) : judge(cluster, one, is, state);
      // Who was silent until now may have what is missing.
      if (listed?.isIncomplete && (await hearsMore(cluster, arrivals)))
        return yield* listFully(cluster, prefix, after);
      after = one.name;
      if (listed) yield listed;
    }
}

/** As few servers tell it, for as long as nobody is needed to add to it; returns the name after which the others must be asked, or null. */
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
  const { guard } = cluster.space;
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
    cluster.warn(
      "there are names that are not sealed with this user's key; they are left out: if they were put before there was a password, dfs-tool adopt seals them",
    );
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
  const { endless } = cluster;
  const ask = async (after: string) => {
    const page = { after, prefix, limit: LIST_PAGE, everything };
    const isAsked = (slot: number): boolean =>
      !endless.isOut(slot) && (!slots || slots.includes(slot));
    const round = await cluster.ask(
      "list",
      (slot) => (isAsked(slot) ? page : null),
      (so, { quorum }) => (slots || canRead(quorum, so.keys()) ? STRAGGLER_MS : null),
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
    // Nobody waits for it where the caller has seen enough.
    asked?.catch(() => {});
    const answering = [...pages.keys()];
    const vouching = answering.filter((slot) => pages.get(slot)?.complete);
    const names = namesUpTo(pages, horizon);
    const isOneOut = horizon !== null && endless.judge(cluster, "list", view.quorum, pages, names);
    // Few cannot do without one of them.
    if (isOneOut && slots) return;
    yield { names, answering, vouching, quorum: view.quorum, upTo: horizon };
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
  return { name: cluster.space.shown(one.name), bytes: bytesOf(cluster, state.size), isIncomplete };
}

/** Bytes of a file of which so many are stored. */
const bytesOf = (cluster: Cluster, stored: number): number =>
  cluster.space.guard ? plainBytes(stored) : stored;

async function inDoubt(cluster: Cluster, name: string): Promise<Listed | null> {
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
