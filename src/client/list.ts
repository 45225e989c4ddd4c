/** list: pages of all live servers merged, each name decided as a get would decide it. */
import { DfsError } from "../errors.ts";
import { compareNames } from "../file/names.ts";
import { LIST_PAGE, STRAGGLER_MS } from "../limits.ts";
import { isGone } from "../version.ts";
import type { ListEntry } from "../wire/messages.ts";
import type { Cluster, Replies } from "./cluster.ts";
import { decide, newest } from "./decide.ts";
import { holdersOf } from "./holders.ts";
import { readName } from "./register.ts";

export interface Listed {
  readonly name: string;
  readonly bytes: number;
  readonly isIncomplete: boolean;
}

/** All names that begin with `prefix`, sorted by their bytes. Throws DfsError("tooFew") when no server answers. */
export async function* list(cluster: Cluster, prefix: string): AsyncGenerator<Listed> {
  for await (const one of namesIn(cluster, prefix, false)) {
    const listed = await judge(cluster, one);
    if (listed) yield listed;
  }
}

/** A name, what servers say of it, and how many servers' silence would mean "absent". */
export interface NameSaid {
  readonly name: string;
  readonly said: Said;
  readonly vouching: number;
}

/** Every name that any server knows, deleted and pending ones too; with `everything` those of mere pieces as well. */
export async function* namesIn(
  cluster: Cluster,
  prefix: string,
  everything: boolean,
): AsyncGenerator<NameSaid> {
  for (let after = ""; ;) {
    const page = { after, prefix, limit: LIST_PAGE, everything };
    const pages = await cluster.ask(
      "list",
      () => page,
      (so) => (so.size >= cluster.quorum.read ? STRAGGLER_MS : null),
    );
    if (pages.size === 0) throw new DfsError("tooFew", "no server answers");
    const horizon = horizonOf(pages);
    const vouching = [...pages.values()].filter(({ complete }) => complete).length;
    for (const [name, said] of namesUpTo(pages, horizon)) yield { name, said, vouching };
    if (horizon === null) return;
    after = horizon;
  }
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

/** What the servers say of one name. */
interface Said {
  readonly entries: ListEntry[];
  /** How many said it of those whose silence would mean "absent". */
  vouched: number;
}

function namesUpTo(pages: Replies<"list">, horizon: string | null): [string, Said][] {
  const names = new Map<string, Said>();
  for (const { entries, complete } of pages.values()) {
    for (const entry of entries) {
      if (horizon !== null && compareNames(entry.name, horizon) > 0) break;
      const said = names.get(entry.name) ?? { entries: [], vouched: 0 };
      names.set(entry.name, said);
      said.entries.push(entry);
      if (complete) said.vouched++;
    }
  }
  return [...names].toSorted(([a], [b]) => compareNames(a, b));
}

/** What follows from it: as decide says, and the current state, or the newest that anybody knows where that cannot be told. */
export function conclude(cluster: Cluster, { said: { entries, vouched }, vouching }: NameSaid) {
  const absent = Array.from({ length: vouching - vouched }, () => ({ acc: null, com: null }));
  const votes = [...entries.filter(({ damaged }) => !damaged), ...absent];
  const decision = decide(cluster.quorum, votes);
  const state =
    decision.is === "current"
      ? decision.current
      : newest(votes.flatMap(({ acc, com }) => [acc, com]));
  return { is: decision.is, state, votes };
}

/** What a list says of one name; null when there is no such file. */
async function judge(cluster: Cluster, one: NameSaid): Promise<Listed | null> {
  const { name, said } = one;
  const { is, state } = conclude(cluster, one);
  if (is === "doubt") return inDoubt(cluster, name);
  if (!state || state.deleted) return null;
  const states = said.entries.flatMap(({ acc, com }) => [acc, com]);
  const held = new Set(states.flatMap((x) => (x?.vid === state.vid ? x.held : [])));
  const isIncomplete = is !== "current" || held.size < state.needed;
  return { name, bytes: state.size, isIncomplete };
}

async function inDoubt(cluster: Cluster, name: string): Promise<Listed | null> {
  const reading = await readName(cluster, name);
  const version = reading.current?.version ?? null;
  if (!version || isGone(version)) return null;
  const found = holdersOf(version, reading.replies).filter((slots) => slots.length > 0).length;
  return {
    name,
    bytes: version.size,
    isIncomplete: reading.is !== "current" || found < version.needed,
  };
}
