/**
 * Copies, moves and new versions of the same content, as simulated clients make them; and what they
 * did to the history of a name. Which content a copy has is seen from the ACCEPTs that its client
 * sends: nothing else can make its version current.
 */
import { named } from "../harness/named.ts";
import type { Cluster } from "../../src/client/connect/cluster.ts";
import { changeAttributes, copy, move } from "../../src/client/files/link.ts";
import { sealedBytes } from "../../src/file/seal.ts";
import type { Cid, Version, Vid } from "../../src/version.ts";
import type { Effect, Operation } from "./linearizable.ts";
import type { Rng } from "./random.ts";

export type LinkOrder =
  | { readonly do: "copy"; readonly from: string; readonly name: string }
  | { readonly do: "rename"; readonly from: string; readonly name: string }
  /** The same content once more, under the same name. */
  | { readonly do: "touch"; readonly from: string; readonly name: string };

/** Draws one between these names; `name` is the one that is written. */
export function drawLink(rng: Rng, names: readonly string[]): LinkOrder {
  const from = names[rng.chance(0.75) ? 0 : 1] ?? "";
  const others = names.filter((name) => name !== from);
  if (rng.chance(0.25)) return { do: "touch", from, name: from };
  return { do: rng.chance(0.5) ? "copy" : "rename", from, name: rng.pick(others) };
}

export async function runLink(cluster: Cluster, order: LinkOrder): Promise<void> {
  const { from, name } = order;
  if (order.do === "touch")
    await changeAttributes(cluster, named(name), (attributes) => attributes);
  else await (order.do === "copy" ? copy : move)(cluster, named(from), named(name));
}

/** What an operation of a client asked servers to accept of its own. */
export interface Witness {
  /** The content that it wrote last, as far as anybody can tell; null: it wrote none. */
  value: number | "unknown" | null;
  /** Did it ask for a deletion? */
  isDeletion: boolean;
}

/** Which content each content of the servers is. */
export class Contents {
  readonly #values = new Map<Cid, number>();
  /** The contents that were ever on their way, with their lengths. */
  readonly lengths = new Map<number, number>();

  note(cid: Cid, value: number): void {
    this.#values.set(cid, value);
  }

  /** A version that nobody here was seen to put is told by its size: a rebalance put it anew. */
  of({ cid, size }: Version): number | "unknown" {
    const known = cid === null ? undefined : this.#values.get(cid);
    if (known !== undefined) return known;
    const [one, ...others] = [...this.lengths].filter(
      ([, bytes]) => size === bytes || size === sealedBytes(bytes),
    );
    return one && others.length === 0 ? one[0] : "unknown";
  }

  /** Watches what this client asks servers to accept from now on. */
  witness(cluster: Cluster): Witness {
    const witness: Witness = { value: null, isDeletion: false };
    const own = new Set<Vid>();
    const { random } = cluster.ports;
    const bytes = (n: number): Uint8Array => {
      const drawn = random.bytes(n);
      if (n === 16) own.add(drawn.toHex());
      return drawn;
    };
    const seen = { ...random, bytes, fraction: () => random.fraction() };
    Object.assign(cluster, { ports: { ...cluster.ports, random: seen } });
    const ask = cluster.ask.bind(cluster);
    cluster.ask = (kind, bodyFor, ...more) =>
      ask(
        kind,
        (slot) => {
          const body = bodyFor(slot);
          if (body && kind === "accept") {
            const { version } = body as unknown as { version: Version };
            if (own.has(version.vid) && version.deleted) witness.isDeletion = true;
            else if (own.has(version.vid)) witness.value = this.of(version);
          }
          return body;
        },
        ...more,
      );
    return witness;
  }
}

/** An operation of a client that links, as it ended. */
interface Ended {
  readonly order: LinkOrder;
  readonly outcome: string;
  readonly invoked: number;
  readonly returned: number;
  readonly witness?: Witness;
}

/** What it tells about a name; "unknown" where it cannot be told which content it wrote. */
export function linkedOn(ended: Ended, name: string): Operation[] | "unknown" {
  const { order, outcome, invoked, returned, witness } = ended;
  const { from, name: to } = order;
  if (name !== from && name !== to) return [];
  const done = (effect: Effect): Operation[] => [{ invoked, returned, effect }];
  const open = (effect: Effect): Operation[] => [{ invoked, returned: Infinity, effect }];
  const { value = null, isDeletion = false } = witness ?? {};
  if (value === null)
    return outcome === "noSuchName" && name === from ? done({ is: "read", value: 0 }) : [];
  if (value === "unknown") return "unknown";
  const isOpen = ["pending", "open", "interrupted"].includes(outcome);
  if (from === to) {
    const again: Effect = { is: "writeIf", expected: value, value };
    return outcome === "done" ? done(again) : isOpen ? open(again) : [];
  }
  // A move deletes only once its copy is certain.
  const isCopied =
    outcome === "done" || (order.do === "rename" && ["conflict", "tooFew"].includes(outcome));
  if (name === to) {
    const written: Effect = { is: "write", value };
    return isCopied ? done(written) : isOpen ? open(written) : [];
  }
  if (order.do === "copy") return isCopied ? done({ is: "read", value }) : [];
  const deleted: Effect = { is: "writeIf", expected: value, value: 0 };
  if (outcome === "done") return done(deleted);
  return isOpen && isDeletion ? open(deleted) : [];
}
