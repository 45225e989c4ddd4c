/**
 * What a server tells of a name: the state of its register, and its pieces. Used by store.ts and,
 * for lists, by the server's list_entry.ts.
 */
import type { StoredName } from "../file/names.ts";
import type { Register, Vid } from "../version.ts";
import type { Refused } from "./acceptor.ts";

/**
 * The pieces held of one version; the damaged ones apart, in `bad`. `age` is the number of seconds
 * since the newest piece came; it is 0 while the sender is connected.
 */
export interface Held {
  readonly vid: Vid;
  readonly pieces: number[];
  readonly bad: number[];
  readonly age: number;
}

/** One name of a page of a list. */
export interface PageEntry {
  readonly name: StoredName;
  /** The bytes of its register. null: it has no register, only pieces. */
  readonly register: Uint8Array | "damaged" | null;
  readonly held: readonly Omit<Held, "age">[];
}

/** The answer to a PREPARE. */
export interface Promised extends Pick<Refused, "refused" | "floor"> {
  readonly ok: boolean;
  readonly register: Register;
  /** The pieces held of the version that the request names. */
  readonly held: number[];
}
