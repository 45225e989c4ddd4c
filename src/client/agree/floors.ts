/**
 * Carries floors to servers that never knew of what was forgotten (docs/consistency.md section 4,
 * membership). Used by migrate and repair.
 *
 * A floor is followed as any number of a server is: up to where two servers confirm it, and only a
 * bounded way beyond. What one server alone has forgotten, the others still have rows of.
 */
import { compareNames, CONFIG_NAME, type StoredName } from "../../file/names.ts";
import { type Ballot, BALLOT_MAX, type Register } from "../../version.ts";
import type { UserFloor } from "../../wire/values.ts";
import { claimsIn, reachOf, vouchedFor } from "./ballots.ts";
import { install } from "./change.ts";
import type { Cluster, Replies, Round } from "../connect/cluster.ts";
import { canAccept } from "../../quorum.ts";

/** One page of the floors: the floor of all spaces, and the higher floors of single users. */
interface Page {
  readonly everywhere: Ballot;
  readonly floors: UserFloor[];
}

/** Sends the floors that exist to all servers. False where too few servers answer. */
export async function carryFloors(cluster: Cluster): Promise<boolean> {
  // rule: floors-are-carried
  for await (const page of floorsIn(cluster)) {
    const done = page && (await install(cluster, page.everywhere, [], page.floors));
    if (!done || !canAccept(cluster.view.quorum, done)) return false;
  }
  return true;
}

/**
 * Raises the floor of a name's space to what two servers have promised for the name. It does so
 * where a server is further behind than a client can climb, and only for an operator, whose client
 * may raise a floor in one step. A floor that is higher than needed does no harm.
 */
export async function levelFor(
  cluster: Cluster,
  name: StoredName,
  answers: ReadonlyMap<number, { readonly register: Register }>,
): Promise<void> {
  const claims = claimsIn(answers);
  const floor = vouchedFor(claims);
  const isNear = claims.every((claim) => floor <= reachOf([claim, BALLOT_MAX]));
  if (isNear || !cluster.connections.isOperator) return;
  const user = name === CONFIG_NAME ? null : cluster.space.user;
  await install(cluster, 0n, [], [{ user, floor }]);
}

/** Reads the floors of all servers, page by page. Yields null where too few servers answer. */
async function* floorsIn(cluster: Cluster): AsyncGenerator<Page | null> {
  for (let after: string | null = null; ;) {
    const from: string | null = after;
    const { replies, view }: Round<"floors"> = await cluster.ask(
      "floors",
      () => ({ after: from }),
      () => null,
    );
    const pages: Replies<"floors"> = new Map(
      [...replies].filter(([, { floors, done }]) => isPage(floors, done, from)),
    );
    if (!canAccept(view.quorum, pages.keys())) return yield null;
    // An unfinished page tells nothing beyond its last user. So this page ends at the smallest last
    // user of the unfinished ones.
    const ends = [...pages.values()].flatMap(({ floors, done }) => (done ? [] : floors.slice(-1)));
    const horizon = ends.map(({ user }) => user ?? "").toSorted(compareNames)[0] ?? null;
    yield pageOf(pages, horizon);
    if (horizon === null) return;
    after = horizon;
  }
}

function pageOf(pages: Replies<"floors">, horizon: string | null): Page {
  const all = [...pages.values()];
  const everywhere = reachOf(all.map((page) => page.everywhere));
  const users = new Set(all.flatMap(({ floors }) => floors.map(({ user }) => user)));
  const floors = [...users]
    .filter((user) => horizon === null || user === null || compareNames(user, horizon) <= 0)
    .map((user) => ({
      user,
      floor: reachOf(all.map((page) => floorIn(page.floors, user) ?? page.everywhere)),
    }));
  return { everywhere, floors };
}

const floorIn = (floors: readonly UserFloor[], of: string | null): Ballot | undefined =>
  floors.find(({ user }) => user === of)?.floor;

/**
 * Are the users of this page in order, and all after `after`? The space that is nobody's comes
 * first.
 */
const isPage = (floors: readonly UserFloor[], done: boolean, after: string | null): boolean =>
  (done || typeof floors.at(-1)?.user === "string") &&
  floors.every(({ user }, i) => {
    const before = i === 0 ? after : (floors[i - 1]?.user ?? null);
    if (user === null) return i === 0 && after === null;
    return before === null || compareNames(before, user) < 0;
  });
