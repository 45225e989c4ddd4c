/** All users' names and files, for what concerns all of them: who keeps a cluster sees what is there, and no more than its servers do. */
import { Space } from "../trust/space.ts";
import { DfsError } from "../../errors.ts";
import type { ReplyOf } from "../../wire/messages.ts";
import type { Cluster, Replies, Round } from "../connect/cluster.ts";
import { STRAGGLER_MS } from "../../limits.ts";
import { compareNames } from "../../file/names.ts";
import { canAccept, canRead } from "../../quorum.ts";
import { hearsMore } from "../connect/silent.ts";

/** The user in whose space lies what was put before there were users. */
export const NOBODY = "";

/**
 * The cluster once for each user of whom a server that answers has anything, this client's own first; for a user who is no operator, or
 * where only names of theirs are meant, it is their own alone.
 */
export async function spacesIn(cluster: Cluster, prefix = ""): Promise<Cluster[]> {
  if (!cluster.connections.isOperator || prefix !== "") return [cluster];
  return spacesOf(cluster, (await usersIn(cluster)).users);
}

const spacesOf = (cluster: Cluster, users: readonly string[]): Cluster[] => [
  cluster,
  ...users.filter((user) => user !== cluster.space.user).map((user) => cluster.in(new Space(user))),
];

/** The same where none may be missed, of which there are only promises either; throws DfsError("tooFew") where so few servers answer that one could be. */
export async function allSpacesIn(cluster: Cluster): Promise<Cluster[]> {
  checkOperator(cluster);
  const { arrivals } = cluster;
  const { users, isAll } = await usersIn(cluster);
  if (!isAll && (await hearsMore(cluster, arrivals))) return allSpacesIn(cluster);
  if (!isAll) throw new DfsError("tooFew", "too few servers answer to tell whose files there are");
  return spacesOf(cluster, users);
}

/** Throws DfsError("forbidden") unless this user may change the cluster. */
export function checkOperator(cluster: Cluster): void {
  if (cluster.connections.isOperator) return;
  throw new DfsError(
    "forbidden",
    `${cluster.space.user} is no operator of the cluster, and this takes one: who is stands in the servers' file of users`,
  );
}

async function usersIn(cluster: Cluster): Promise<{ users: string[]; isAll: boolean }> {
  const { endless } = cluster;
  /** By which slot each is told, where it is one alone. */
  const users = new Map<string, number | null>();
  let isAll = true;
  for (let after: string | null = null; ;) {
    const from: string | null = after;
    const { replies, view }: Round<"spaces"> = await cluster.ask(
      "spaces",
      (slot) => (endless.isOut(slot) ? null : { after: from }),
      (so, { quorum }) => (canRead(quorum, so.keys()) ? STRAGGLER_MS : null),
    );
    const pages: Replies<"spaces"> = new Map([...replies].filter(([, told]) => isPage(told, from)));
    isAll &&= canAccept([view.quorum[0]], pages.keys());
    // Beyond the smallest last one of an unfinished page nothing can be told yet.
    const ends = [...pages.values()].flatMap(({ users: page, done }) =>
      done ? [] : page.slice(-1),
    );
    const horizon = ends.toSorted(compareNames)[0] ?? null;
    const told = new Map<string, Map<number, true>>();
    for (const [slot, { users: page }] of pages)
      for (const user of page)
        if (horizon === null || compareNames(user, horizon) <= 0)
          told.set(user, (told.get(user) ?? new Map()).set(slot, true));
    for (const [user, by] of told)
      users.set(user, by.size > 1 ? null : ([...by.keys()][0] ?? null));
    if (horizon !== null) endless.judge(cluster, "spaces", view.quorum, pages, told);
    else return { users: believedOf(cluster, users), isAll };
    after = horizon;
  }
}

/** Less those that only somebody tells of who is not believed. */
const believedOf = ({ endless }: Cluster, users: ReadonlyMap<string, number | null>): string[] =>
  [...users]
    .flatMap(([user, slot]) => (slot !== null && endless.isOut(slot) ? [] : [user]))
    .toSorted(compareNames);

/** Do its users come after that one, in order? */
const isPage = ({ users, done }: ReplyOf<"spaces">, after: string | null): boolean =>
  (done || users.length > 0) &&
  users.every((user, i) => {
    const before = i === 0 ? after : (users[i - 1] ?? null);
    return before === null || compareNames(before, user) < 0;
  });
