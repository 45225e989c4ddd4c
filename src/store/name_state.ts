/**
 * What a server tells of a name: the state of its register, and what the name holds. Used by
 * store.ts and, for lists, by the server's list_entry.ts.
 */
import type { Cid, Register, Vid } from "../version.ts";
import { type StoredName, compareNames } from "../file/names.ts";
import { VIDS_PER_NAME_MAX } from "../limits.ts";
import type { Refused } from "./acceptor.ts";
import type { Catalog } from "./catalog/catalog.ts";
import type { HeldContent, PendingVersion } from "./catalog/holdings.ts";
import type { SmallPiece } from "./pieces/piece_id.ts";
import type { UnderWay } from "./pieces/under_way.ts";

/**
 * A pending version. `age` is the number of seconds since the newest of its pieces came; it is 0
 * while the sender is connected.
 */
export interface Pending {
  readonly vid: Vid;
  readonly cid: Cid;
  readonly age: number;
}

/** What READ tells of a name. */
export interface NameState extends Pick<Refused, "floor"> {
  readonly register: Register;
  readonly held: HeldContent[];
  readonly pending: Pending[];
}

/** One name of a page of a list. */
export interface PageEntry {
  readonly name: StoredName;
  /** The bytes of its register. null: it has no register, only pending versions. */
  readonly register: Uint8Array | "damaged" | null;
  readonly held: readonly HeldContent[];
  /** Its pending versions; only told with `everything`. */
  readonly pending: readonly PendingVersion[];
}

/** What a PREPARE brings: a version, its content, and small pieces of that. */
export interface Proposed {
  readonly vid: Vid;
  readonly link: Cid | null;
  readonly inline: readonly SmallPiece[];
}

/** The answer to a PREPARE. */
export interface Promised extends Pick<Refused, "refused" | "floor"> {
  readonly ok: boolean;
  readonly register: Register;
  /** The pieces that the name holds of the content that the request names. */
  readonly held: number[];
}

/** What a name holds, as READ tells it. `now` is the server's clock. */
export function heldOf(
  { holdings }: Catalog,
  space: string,
  name: StoredName,
  { acc, com }: Register,
  now: number,
  underWay: UnderWay,
): Pick<NameState, "held" | "pending"> {
  // The contents of the register come first, in case there are more than fit into a reply.
  const matters = new Set([acc?.version.cid, com?.version.cid]);
  const held = holdings
    .ofName(space, name)
    .toSorted((a, b) => Number(matters.has(b.cid)) - Number(matters.has(a.cid)));
  const ageOf = ({ vid, created }: PendingVersion): number =>
    underWay.has(vid) ? 0 : Math.max(0, Math.floor((now - created) / 1000));
  const pending = holdings.pendingOf(space, name).slice(0, VIDS_PER_NAME_MAX);
  return {
    held: held.slice(0, VIDS_PER_NAME_MAX),
    pending: pending.map((one) => ({ vid: one.vid, cid: one.cid, age: ageOf(one) })),
  };
}

/** The names of `page`, in byte order, each with what it holds. */
export function pageOf(
  { holdings }: Catalog,
  page: readonly Pick<PageEntry, "name" | "register">[],
  space: string,
  { withPieces, everything }: { readonly withPieces: boolean; readonly everything: boolean },
): PageEntry[] {
  const [first, last] = [page[0]?.name, page.at(-1)?.name];
  if (first === undefined || last === undefined) return [];
  const held = withPieces ? holdings.ofNames(space, first, last) : [];
  let i = 0;
  return page.map(({ name, register }) => {
    for (let next = held[i]; next && compareNames(next.name, name) < 0; next = held[i]) i++;
    const match = held[i]?.name === name ? held[i++] : null;
    const pending = everything ? holdings.pendingOf(space, name) : [];
    return { name, register, held: match?.contents ?? [], pending };
  });
}
