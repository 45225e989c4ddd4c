/** list: pages of all live servers merged, each name decided as a get would decide it. */
import { DfsError } from "../errors.ts";
import { compareNames } from "../file/names.ts";
import { LIST_PAGE, READ_PATIENCE_MS } from "../limits.ts";
import { isGone, type Register } from "../version.ts";
import type { EntryState, ListEntry } from "../wire/messages.ts";
import type { Cluster, Replies } from "./cluster.ts";
import { decide } from "./decide.ts";
import { holdersOf } from "./get.ts";
import { readName } from "./register.ts";

export interface Listed {
  readonly name: string;
  readonly bytes: number;
  readonly isIncomplete: boolean;
}

/** All names that begin with `prefix`, sorted by their bytes. Throws DfsError("tooFew") when no server answers. */
export async function* list(cluster: Cluster, prefix: string): AsyncGenerator<Listed> {
  for (let after = ""; ;) {
    const pages = await cluster.ask(
      "list",
      () => ({ after, prefix, limit: LIST_PAGE }),
      (so) => (so.size >= cluster.quorum.read ? READ_PATIENCE_MS * 10 : null),
    );
    if (pages.size === 0) throw new DfsError("tooFew", "no server answers");
    const horizon = horizonOf(pages);
    for (const [name, states] of namesUpTo(pages, horizon)) {
      const listed = await judge(cluster, name, states, pages.size);
      if (listed) yield listed;
    }
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

function namesUpTo(pages: Replies<"list">, horizon: string | null): [string, ListEntry[]][] {
  const names = new Map<string, ListEntry[]>();
  for (const { entries } of pages.values()) {
    for (const entry of entries) {
      if (horizon !== null && compareNames(entry.name, horizon) > 0) break;
      const known = names.get(entry.name);
      if (known) known.push(entry);
      else names.set(entry.name, [entry]);
    }
  }
  return [...names].toSorted(([a], [b]) => compareNames(a, b));
}

/** What a list says of one name; null when there is no such file. */
async function judge(
  cluster: Cluster,
  name: string,
  entries: ListEntry[],
  answered: number,
): Promise<Listed | null> {
  const registers: Register[] = entries.map(registerOf);
  while (registers.length < answered) registers.push({ prom: 0n, acc: null, com: null });
  const decision = decide(cluster.quorum, registers);
  if (decision.is === "doubt") return inDoubt(cluster, name);
  const certain = decision.is === "current" ? decision.current : newestOf(registers);
  const version = certain?.version ?? null;
  if (!version || isGone(version)) return null;
  const held = new Set(
    entries.flatMap(({ acc, com }) =>
      [acc, com].flatMap((x) => (x?.vid === version.vid ? x.held : [])),
    ),
  );
  const isIncomplete = decision.is !== "current" || held.size < version.needed;
  return { name, bytes: version.size, isIncomplete };
}

/** The register that an entry tells of, as far as deciding needs it. */
const registerOf = ({ acc, com }: ListEntry): Register => ({
  prom: 0n,
  acc: acceptedOf(acc),
  com: acceptedOf(com),
});

const acceptedOf = (state: EntryState | null) =>
  state && {
    ballot: state.ballot,
    version: {
      vid: state.vid,
      seq: 0,
      history: [],
      birthFloor: 0n,
      deleted: state.deleted,
      pieces: state.pieces,
      needed: state.needed,
      copies: 0,
      x: 0,
      size: state.size,
      body: NO_BODY,
    },
  };
const NO_BODY = new Uint8Array();

const newestOf = (registers: readonly Register[]) =>
  registers
    .flatMap(({ acc, com }) => [acc, com])
    .reduce((a, b) => (b && (!a || b.ballot > a.ballot) ? b : a), null);

async function inDoubt(cluster: Cluster, name: string): Promise<Listed | null> {
  const reading = await readName(cluster, name);
  const version = reading.current?.version ?? null;
  if (!version || isGone(version)) return null;
  const found = holdersOf(version, reading).filter((slots) => slots.length > 0).length;
  return {
    name,
    bytes: version.size,
    isIncomplete: reading.is !== "current" || found < version.needed,
  };
}
