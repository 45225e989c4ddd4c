/**
 * The spaces of all users, for work that concerns every file. An operator sees that names exist,
 * and no more of them than the servers see. Used by members and care.
 */
import { Space } from "../trust/space.ts";
import { DfsError } from "../../errors.ts";
import type { ReplyOf } from "../../wire/messages.ts";
import type { Cluster, Replies, Round } from "../connect/cluster.ts";
import { STRAGGLER_MS, USERS_PAGE } from "../../limits.ts";
import { compareNames } from "../../file/names.ts";
import { canAccept, canRead } from "../../quorum.ts";
import { hearsMore } from "../connect/silent.ts";

/** The user whose space has the files that were put before there were users. */
export const NOBODY = "";

/**
 * The cluster once for each user of whom an answering server has anything, this client's own user
 * first. It is only the own space where this user is no operator, or where a prefix limits the work
 * to the user's own names.
 */
export async function spacesIn(cluster: Cluster, prefix = ""): Promise<Cluster[]> {
  if (!cluster.connections.isOperator || prefix !== "") return [cluster];
  return spacesOf(cluster, (await usersIn(cluster)).users);
}

const spacesOf = (cluster: Cluster, users: readonly string[]): Cluster[] => [
  cluster,
  ...users.filter((user) => user !== cluster.space.user).map((user) => cluster.in(new Space(user))),
];

/**
 * Every space that may exist, also one of which there are only promises. Throws DfsError("tooFew")
 * where so few servers answer that a space could be missed.
 */
export async function allSpacesIn(cluster: Cluster): Promise<Cluster[]> {
  checkOperator(cluster);
  const { arrivals } = cluster;
  const { users, isComplete } = await usersIn(cluster);
  if (!isComplete && (await hearsMore(cluster, arrivals))) return allSpacesIn(cluster);
  if (!isComplete)
    throw new DfsError("tooFew", "too few servers answer to tell whose files there are");
  return spacesOf(cluster, users);
}

/** Throws DfsError("forbidden") unless this user is an operator. */
export function checkOperator(cluster: Cluster): void {
  if (cluster.connections.isOperator) return;
  throw new DfsError(
    "forbidden",
    `${cluster.space.user} is no operator of the cluster, and this takes one: who is stands in the servers' file of users`,
  );
}

async function usersIn(cluster: Cluster): Promise<{ users: string[]; isComplete: boolean }> {
  const { endless } = cluster;
  /** For each user the slot of the one server that reports the user; null: several do. */
  const users = new Map<string, number | null>();
  let isComplete = true;
  for (let after: string | null = null; ;) {
    const from: string | null = after;
    const { replies, view }: Round<"spaces"> = await cluster.ask(
      "spaces",
      (slot) => (endless.isOut(slot) ? null : { after: from }),
      (received, { quorum }) => (canRead(quorum, received.keys()) ? STRAGGLER_MS : null),
    );
    const pages: Replies<"spaces"> = new Map(
      [...replies].filter(([, page]) => isSoundPage(page, from)),
    );
    isComplete &&= canAccept([view.quorum[0]], pages.keys());
    // All pages are known up to the smallest last user of an unfinished page.
    const ends = [...pages.values()].flatMap(({ users: page, done }) =>
      done ? [] : page.slice(-1),
    );
    const horizon = ends.toSorted(compareNames)[0] ?? null;
    const slotsByUser = new Map<string, Map<number, true>>();
    for (const [slot, { users: page }] of pages)
      for (const user of page)
        if (horizon === null || compareNames(user, horizon) <= 0)
          slotsByUser.set(user, (slotsByUser.get(user) ?? new Map()).set(slot, true));
    for (const [user, slots] of slotsByUser)
      users.set(user, slots.size > 1 ? null : ([...slots.keys()][0] ?? null));
    if (horizon !== null)
      endless.judge(cluster, "spaces", USERS_PAGE, view.quorum, pages, slotsByUser);
    else return { users: believedUsers(cluster, users), isComplete };
    after = horizon;
  }
}

/** All users, but for those that are reported only by a server that is not believed. */
const believedUsers = ({ endless }: Cluster, users: ReadonlyMap<string, number | null>): string[] =>
  [...users]
    .flatMap(([user, slot]) => (slot !== null && endless.isOut(slot) ? [] : [user]))
    .toSorted(compareNames);

/** Are the users of a page in order, and all after `after`? */
const isSoundPage = ({ users, done }: ReplyOf<"spaces">, after: string | null): boolean =>
  (done || users.length > 0) &&
  users.every((user, i) => {
    const before = i === 0 ? after : (users[i - 1] ?? null);
    return before === null || compareNames(before, user) < 0;
  });
