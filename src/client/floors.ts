/**
 * Carrying floors to servers that never knew of what was forgotten (docs/consistency.md section 4, membership). A floor is followed as any number
 * of a server is: to where two say it is, and only so far beyond; what one alone has forgotten the others still have rows of.
 */
import { compareNames } from "../file/names.ts";
import { type Ballot, BALLOT_MAX, type Register } from "../version.ts";
import type { UserFloor } from "../wire/values.ts";
import { claimsIn, reachOf, vouchedFor } from "./ballots.ts";
import { CONFIG_NAME, install } from "./change.ts";
import type { Cluster, Replies, Round } from "./cluster.ts";
import { canAccept } from "./decide.ts";

/** What each space's floor is to be, a page at a time. */
interface Page {
  readonly everywhere: Ballot;
  readonly floors: UserFloor[];
}

/** Has all servers go by the floors that there are. False where too few servers answer. */
export async function carryFloors(cluster: Cluster): Promise<boolean> {
  for await (const page of floorsIn(cluster)) {
    const done = page && (await install(cluster, page.everywhere, [], page.floors));
    if (!done || !canAccept(cluster.view.quorum, done)) return false;
  }
  return true;
}

/**
 * Brings the floor of a name's space up to what two servers have promised in the name, where that is more than a client can climb: an
 * operator's client may, in one step. Higher than need be it does no harm.
 */
export async function levelFor(
  cluster: Cluster,
  name: string,
  told: ReadonlyMap<number, { readonly register: Register }>,
): Promise<void> {
  const claims = claimsIn(told);
  const floor = vouchedFor(claims);
  const isNear = claims.every((claim) => floor <= reachOf([claim, BALLOT_MAX]));
  if (isNear || !cluster.connections.isOperator) return;
  const user = name === CONFIG_NAME ? null : cluster.user;
  await install(cluster, 0n, [], [{ user, floor }]);
}

/** null: too few servers answer. */
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
    // Beyond the smallest last one of an unfinished page nothing can be told yet.
    const ends = [...pages.values()].flatMap(({ floors, done }) => (done ? [] : floors.slice(-1)));
    const horizon = ends.map(({ user }) => user ?? "").toSorted(compareNames)[0] ?? null;
    yield pageOf(pages, horizon);
    if (horizon === null) return;
    after = horizon;
  }
}

function pageOf(pages: Replies<"floors">, horizon: string | null): Page {
  const told = [...pages.values()];
  const everywhere = reachOf(told.map((page) => page.everywhere));
  const users = new Set(told.flatMap(({ floors }) => floors.map(({ user }) => user)));
  const floors = [...users]
    .filter((user) => horizon === null || user === null || compareNames(user, horizon) <= 0)
    .map((user) => ({
      user,
      floor: reachOf(told.map((page) => floorIn(page.floors, user) ?? page.everywhere)),
    }));
  return { everywhere, floors };
}

const floorIn = (floors: readonly UserFloor[], of: string | null): Ballot | undefined =>
  floors.find(({ user }) => user === of)?.floor;

/** Do its users come after that one, in order, the space that is nobody's before all? */
const isPage = (floors: readonly UserFloor[], done: boolean, after: string | null): boolean =>
  (done || typeof floors.at(-1)?.user === "string") &&
  floors.every(({ user }, i) => {
    const before = i === 0 ? after : (floors[i - 1]?.user ?? null);
    if (user === null) return i === 0 && after === null;
    return before === null || compareNames(before, user) < 0;
  });
