/**
 * What servers and this computer know of the lives of servers, and what follows from it. Pure. Used
 * by connect/meet.ts.
 *
 * A server that never had a life which somebody knows of it was put back to an earlier state. It
 * may lack promises that it made since, and so it does not count.
 */
import type { KnownLife, Life, NewLife } from "../../life.ts";

/** What a server said last of its own lives, and of the lives of others. */
export interface Standing {
  readonly sid: string;
  readonly now: Life;
  readonly known: readonly KnownLife[];
  /** Does it run on a copy of its folder that too few others know of? */
  readonly isUnsettled: boolean;
  /** The marks of earlier lives that it said were its own. */
  readonly own: ReadonlySet<string>;
}

/**
 * A life that somebody knows of a server. `by` is the id of the server that knows it; null: this
 * computer.
 */
export interface LifeClaim extends Life {
  readonly by: string | null;
}

/**
 * Why a server that answers does not count. "putBack": its folder was put back to an earlier state,
 * as the claim shows. "copy": it runs on a copy of its folder.
 */
export type Exclusion =
  { readonly is: "putBack"; readonly claim: LifeClaim } | { readonly is: "copy" };

/**
 * The lives that a server must have had, as others or this computer know, and that it has not yet
 * said were its own.
 */
export function claimsOn(
  of: Standing,
  all: readonly Standing[],
  remembered: readonly Life[],
): LifeClaim[] {
  const claims = new Map<string, LifeClaim>();
  const add = (life: Life, by: string | null): void => {
    if (life.mark !== of.now.mark && !of.own.has(life.mark)) claims.set(life.mark, { ...life, by });
  };
  for (const life of remembered) add(life, null);
  for (const { sid: by, known } of all)
    for (const { sid, life, mark } of known) if (sid === of.sid) add({ life, mark }, by);
  return [...claims.values()];
}

/**
 * What to tell a server: the present life of each other server, if it knows none or an earlier one.
 */
export const newsFor = (to: Standing, all: readonly Standing[]): NewLife[] =>
  all.flatMap(({ sid, now }) => {
    const from = to.known.find((known) => known.sid === sid)?.mark ?? null;
    return sid === to.sid || from === now.mark ? [] : [{ sid, from, ...now }];
  });

/**
 * Do enough others know the present life of this server, so that no other copy of its folder can
 * count beside it? `groups`: the ids of the servers that decide, and how many of them choose a
 * value. There are two groups while members change.
 */
export function isKnownByEnough(
  of: Standing,
  all: readonly Standing[],
  groups: readonly { readonly sids: readonly string[]; readonly accept: number }[],
): boolean {
  const knows = ({ known }: Standing): boolean =>
    known.some(({ sid, mark }) => sid === of.sid && mark === of.now.mark);
  return groups.every(({ sids, accept }) => {
    const others = sids.filter((sid) => sid !== of.sid);
    const knowing = all.filter((one) => others.includes(one.sid) && knows(one));
    return knowing.length >= /* rule: known-by-enough */ Math.min(accept, others.length);
  });
}
