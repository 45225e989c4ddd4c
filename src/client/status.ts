/** status: is everything that is stored safe, and what would it take to make it so. */
import { KEY_NAME } from "../file/names.ts";
import { STATUS_REPLY_MS } from "../limits.ts";
import type { ReplyOf } from "../wire/messages.ts";
import type { Cluster } from "./cluster.ts";
import type { Group } from "./decide.ts";
import { conclude, hereOf, type NameSaid, namesIn } from "./list.ts";
import { tolerance } from "./plan.ts";
import { spacesIn } from "./spaces.ts";

export type Word = "HEALTHY" | "DEGRADED" | "AT RISK" | "DATA MISSING";

/** What repair, or reading back, has left to do. */
export interface ToDo {
  /** Pieces that answering servers are home to and lack. */
  lacking: number;
  /** Pieces that lie elsewhere than at home. */
  astray: number;
  /** Pieces known to be damaged. */
  damaged: number;
  /** Pieces that were never read back. */
  unread: number;
  /** Names whose servers do not agree yet. */
  unsettled: number;
  /** Deletions that are not forgotten everywhere. */
  deletions: number;
  /** Names of which there are pieces of versions that nobody needs. */
  orphans: number;
  /** Records that a server cannot read any more. */
  records: number;
  /** Is a change of the servers not finished? */
  changes: number;
}

export interface ServerStatus {
  readonly name: string;
  readonly release: string | null;
  /** null: it does not answer. */
  readonly health: ReplyOf<"status"> | null;
}

export interface Status {
  readonly word: Word;
  /** How many more servers may be lost, whichever they are, before some file is. */
  readonly canLose: number;
  readonly files: number;
  readonly bytes: number;
  /** Files that cannot be had from the servers that answer. */
  readonly unreadable: number;
  readonly servers: readonly ServerStatus[];
  /** Servers with records that do not verify. */
  readonly damaged: readonly string[];
  readonly toDo: ToDo;
}

/** Looks at all servers and all names. Throws DfsError("tooFew") when none answers. */
export async function statusOf(cluster: Cluster): Promise<Status> {
  const asked = cluster.ask(
    "status",
    () => ({}),
    () => STATUS_REPLY_MS,
  );
  const names = await lookAtNames(cluster);
  const { replies, view } = await asked;
  // Who does not tell in time what it holds does not answer.
  for (const slot of names.late) replies.delete(slot);
  const servers = view.members.map((slot) => ({
    name: cluster.labelOf(slot),
    release: cluster.releaseOf(slot),
    health: replies.get(slot) ?? null,
  }));
  for (const { bad, unread } of replies.values()) {
    names.toDo.damaged += bad;
    names.toDo.unread += unread;
  }
  // Below R answers nobody can tell what is current.
  const answering = (group: Group): number =>
    group.slots.filter((slot) => replies.has(slot)).length;
  const spare = Math.min(...view.quorum.map((group) => answering(group) - group.read));
  const canLose = Math.max(0, Math.min(spare, names.canLose));
  // What nobody needs takes room and does no harm.
  const { deletions: _, orphans: __, ...harm } = names.toDo;
  const isRoom = [...replies.values()].every(({ short }) => short === "");
  const isAll = replies.size === view.members.length;
  const isWhole = isAll && isRoom && Object.values(harm).every((n) => n === 0);
  const isMissing = names.unreadable > 0 || spare < 0;
  const word = isMissing
    ? "DATA MISSING"
    : canLose === 0
      ? "AT RISK"
      : isWhole
        ? "HEALTHY"
        : "DEGRADED";
  const { late: ___, damaged, ...sums } = names;
  const labels = [...damaged].map((slot) => cluster.labelOf(slot));
  return { ...sums, word, canLose: isMissing ? 0 : canLose, servers, damaged: labels };
}

/** What all names come to. */
interface Sums {
  canLose: number;
  files: number;
  bytes: number;
  unreadable: number;
  /** Servers that were asked for names, and did not answer in time. */
  readonly late: Set<number>;
  /** Servers with records that do not verify. */
  readonly damaged: Set<number>;
  readonly toDo: ToDo;
}

async function lookAtNames(cluster: Cluster): Promise<Sums> {
  const toDo: ToDo = {
    lacking: 0,
    astray: 0,
    damaged: 0,
    unread: 0,
    unsettled: 0,
    deletions: 0,
    orphans: 0,
    records: 0,
    changes: cluster.view.config.next ? 1 : 0,
  };
  const all = {
    canLose: Infinity,
    files: 0,
    bytes: 0,
    unreadable: 0,
    late: new Set<number>(),
    damaged: new Set<number>(),
    toDo,
  };
  for (const space of await spacesIn(cluster))
    for await (const said of namesIn(space, "", true)) {
      for (const slot of cluster.live) if (!said.answering.includes(slot)) all.late.add(slot);
      for (const slot of said.answering) if (!said.vouching.includes(slot)) all.damaged.add(slot);
      lookAt(said, all);
    }
  // One may be of a name that nobody knows any more.
  toDo.records = Math.max(toDo.records, all.damaged.size);
  return all;
}

/** Adds what servers say of one name. */
function lookAt(one: NameSaid, all: Sums): void {
  const { toDo } = all;
  const entries = [...one.said.values()];
  toDo.records += entries.filter(({ damaged }) => damaged).length;
  if (entries.some(({ others }) => others)) toDo.orphans++;
  const { is, state, votes } = conclude(one);
  if (!state) return;
  if (state.deleted) {
    toDo.deletions++;
    return;
  }
  const isIt = (x: { vid: string } | null): boolean => x?.vid === state.vid;
  if (![...votes.values()].every(({ acc, com }) => isIt(acc) && isIt(com))) toDo.unsettled++;
  const told = entries.flatMap((entry) => hereOf(entry, state.vid) ?? []);
  for (const { lacking, astray } of told) {
    toDo.lacking += lacking;
    toDo.astray += astray;
  }
  const canLose = tolerance(
    told.map(({ held }) => held),
    state.needed,
  );
  if (one.name !== KEY_NAME) all.files++;
  all.bytes += state.size;
  if (is !== "current" || canLose < 0) all.unreadable++;
  else all.canLose = Math.min(all.canLose, canLose);
}
