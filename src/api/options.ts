/**
 * With what operations of a store are asked for. Used by store.ts and operate.ts, and by callers.
 */
import type { Wanted } from "../client/files/list.ts";
import type { Layout } from "../file/layout.ts";
import type { Said } from "./info.ts";

export interface Signalled {
  /** Ends the operation once it is aborted, with DfsError("interrupted"). */
  readonly signal?: AbortSignal | undefined;
}

/** What must hold, or else nothing is changed, and DfsError("conflict") is thrown. At most one. */
export interface Conditions extends Signalled {
  /** This is the current version of the name. */
  readonly ifMatch?: string | undefined;
  /** There is nothing of this name. */
  readonly ifNoneMatch?: "*" | undefined;
}

export interface PutOptions extends Conditions {
  /** How many bytes a stream has. The put fails if it has more or fewer. */
  readonly size?: number | undefined;
  readonly attributes?: Said | undefined;
  /** "pairs", or "rs:K+M" for K data and M parity pieces. By default that of the store. */
  readonly layout?: string | undefined;
  /** Called with the number of bytes that have just become durable on their servers. */
  readonly progress?: ((bytes: number) => void) | undefined;
}

export interface CopyOptions extends Signalled {
  /** This is the current version of what is copied. */
  readonly ifMatch?: string | undefined;
  /** There is nothing of the new name. */
  readonly ifNoneMatch?: "*" | undefined;
}

export type ListOptions = Wanted & Signalled;

/** How files are put where nothing else is said. */
export interface Usual {
  readonly layout: Layout;
  readonly placement: "name" | "content";
}
