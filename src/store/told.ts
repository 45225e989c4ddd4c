/** What a server tells of a name: its register and its pieces, as the store has them. */
import type { Register, Vid } from "../version.ts";
import type { Refused } from "./acceptor.ts";

/** The pieces held of one version, those found damaged apart, and the seconds since the last of them came; 0 while their sender is connected. */
export interface Held {
  readonly vid: Vid;
  readonly pieces: number[];
  readonly bad: number[];
  readonly age: number;
}

/** What there is of one name of a page. */
export interface PageEntry {
  readonly name: string;
  /** Its bytes; null: there is none, only pieces of it. */
  readonly register: Uint8Array | "damaged" | null;
  readonly held: readonly Omit<Held, "age">[];
}

/** What a PREPARE is answered. */
export interface Promised extends Pick<Refused, "refused" | "floor"> {
  readonly ok: boolean;
  readonly register: Register;
  /** The pieces held of the version that was asked about. */
  readonly held: number[];
}
