/** list: pages of all live servers merged, each name decided as a get would decide it. */
import { DfsError } from "../errors.ts";
import { compareNames, KEY_NAME } from "../file/names.ts";
import { plainBytes } from "../file/seal.ts";
import { LIST_PAGE, STRAGGLER_MS } from "../limits.ts";
import { isGone } from "../version.ts";
import type { ListEntry, ReplyOf } from "../wire/messages.ts";
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
export async function* list(cluster: Cluster, prefix: string): AsyncGenerator<Listed> {
  if (!cluster.guard) return yield* listStored(cluster, prefix);
  const all: Listed[] = [];
  for await (const listed of listStored(cluster, prefix)) all.push(listed);
  yield* all.sort((a, b) => compareNames(a.name, b.name));
}

async function* listStored(cluster: Cluster, prefix: string): AsyncGenerator<Listed> {
  for await (const one of namesIn(cluster, prefix, false)) {
    if (one.name === KEY_NAME) continue;
    const listed = await judge(cluster, one);
    if (listed) yield listed;
  }
}

/** A name, what servers say of it, by slot, which of them answered, and whose silence means "absent". */
export interface NameSaid {
  readonly name: string;
  readonly said: Said;
  readonly answering: readonly number[];
  readonly vouching: readonly number[];
  readonly quorum: Quorum;
}

type Said = ReadonlyMap<number, ListEntry>;

/**
 * Every name that any server knows, as it knows it, deleted and pending ones too; with `everything` those of mere pieces as well. Throws
 * DfsError("tooFew") when no server answers.
 */
export async function* namesIn(
  cluster: Cluster,
  prefix: string,
  everything: boolean,
): AsyncGenerator<NameSaid> {
  const { guard } = cluster;
  // Servers can tell what is in a folder, and not what begins with part of a name.
  const known = guard ? guard.stored(prefix.slice(0, prefix.lastIndexOf("/") + 1)) : prefix;
  for await (const { names, ...page } of pagesIn(cluster, known, everything))
    for (const [name, said] of names)
      if (!guard || isWanted(cluster, guard, name, prefix)) yield { name, said, ...page };
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
}

/** All names, a page at a time; see `namesIn`. */
export async function* pagesIn(
  cluster: Cluster,
  prefix: string,
  everything: boolean,
): AsyncGenerator<Page> {
  for (let after = ""; ;) {
    const page = { after, prefix, limit: LIST_PAGE, everything };
    const { replies, view } = await cluster.ask(
      "list",
      () => page,
      (so, { quorum }) => (canRead(quorum, so.keys()) ? STRAGGLER_MS : null),
    );
    const pages = new Map([...replies].filter(([, told]) => isPage(told, after)));
    if (pages.size === 0) throw new DfsError("tooFew", "no server answers");
    const horizon = horizonOf(pages);
    const vouching = [...pages].flatMap(([slot, { complete }]) => (complete ? [slot] : []));
    const names = namesUpTo(pages, horizon);
    yield { names, answering: [...pages.keys()], vouching, quorum: view.quorum };
    if (horizon === null) return;
    after = horizon;
  }
}

/** Do its names come after that one, in order? Else a server could keep a client busy for ever. */
const isPage = ({ entries, done }: ReplyOf<"list">, after: string): boolean =>
  (done || entries.length > 0) &&
  entries.every(({ name }, i) => compareNames(entries[i - 1]?.name ?? after, name) < 0);

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

function namesUpTo(pages: Replies<"list">, horizon: string | null): [string, Said][] {
  const names = new Map<string, Map<number, ListEntry>>();
  for (const [slot, { entries }] of pages) {
    for (const entry of entries) {
      if (horizon !== null && compareNames(entry.name, horizon) > 0) break;
      const said = names.get(entry.name) ?? new Map<number, ListEntry>();
      names.set(entry.name, said.set(slot, entry));
    }
  }
  return [...names].toSorted(([a], [b]) => compareNames(a, b));
}

/** What follows from it: as decide says, and the current state, or the newest that anybody knows where that cannot be told. */
export function conclude({ said, vouching, quorum }: NameSaid) {
  const votes = new Map<number, Pick<ListEntry, "acc" | "com">>(
    [...said].filter(([, { damaged }]) => !damaged),
  );
  for (const slot of vouching) if (!said.has(slot)) votes.set(slot, { acc: null, com: null });
  const decision = decide(quorum, votes);
  const all = [...votes.values()].flatMap(({ acc, com }) => [acc, com]);
  const state = decision.is === "current" ? decision.current : newest(all);
  return { is: decision.is, state, votes };
}

/** What a list says of one name; null when there is no such file. */
async function judge(cluster: Cluster, one: NameSaid): Promise<Listed | null> {
  const { name, said } = one;
  const { is, state } = conclude(one);
  if (is === "doubt") return inDoubt(cluster, name);
  if (!state || state.deleted) return null;
  const states = [...said.values()].flatMap(({ acc, com }) => [acc, com]);
  const held = new Set(states.flatMap((x) => (x?.vid === state.vid ? x.held : [])));
  const isIncomplete = is !== "current" || held.size < state.needed;
  return { name: cluster.shown(name), bytes: bytesOf(cluster, state.size), isIncomplete };
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
