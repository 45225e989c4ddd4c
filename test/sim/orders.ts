/** The orders that simulated clients get. Drawn by workload and the plots, carried out by operations. */
import type { LinkOrder } from "./links.ts";
import type { MemberOrder } from "./member_orders.ts";

/** What to do; contents are numbers, from which the bytes follow. */
export type Order =
  | {
      readonly do: "put";
      readonly name: string;
      readonly value: number;
      readonly bytes: number;
      readonly layout?: string;
      /** As a stream, whose length nobody knows before its end. */
      readonly stream?: true;
    }
  /** Of the version that the content `expected` came with; 0: only if there is no file. */
  | {
      readonly do: "putIf";
      readonly name: string;
      readonly value: number;
      readonly bytes: number;
      readonly expected: number;
      readonly layout?: string;
    }
  | { readonly do: "get"; readonly name: string }
  /** Opens the version that is current, and reads it in parts, with time between them. */
  | { readonly do: "readSlowly"; readonly name: string }
  | { readonly do: "rm"; readonly name: string }
  | LinkOrder
  | { readonly do: "list" }
  /** Looks at a level of names, while nobody writes. */
  | { readonly do: "levels" }
  /** By somebody who means harm, of some servers. */
  | { readonly do: "jump"; readonly name: string; readonly steps: number; readonly user?: string }
  | { readonly do: "repair" }
  | MemberOrder
  | { readonly do: "rebalance" };
