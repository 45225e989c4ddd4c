/**
 * What no server knows, and must hold: which values were chosen, and that they are a chain in which nothing is twice (docs/consistency.md
 * section 10). Used by the register's model.
 */
import type { Accepted, Version } from "./register.ts";
import { Violation } from "./simulator.ts";

export class Chosen {
  readonly #accept: number;
  readonly #chosen: Accepted[] = [];
  /** By vid: the versions that were chosen, or that a chosen one descends from. */
  readonly #applied = new Map<number, Version>();
  readonly #votes = new Map<string, Set<number>>();

  /** `accept`: how many servers choose a value. */
  constructor(accept: number) {
    this.#accept = accept;
  }

  get newest(): Version | undefined {
    return this.#chosen.at(-1)?.version;
  }

  /** A server accepts; throws Violation where what is chosen by that must not be. */
  vote(server: number, accepted: Accepted): void {
    const key = `${accepted.ballot}/${accepted.version.vid}`;
    const votes = this.#votes.get(key) ?? new Set();
    this.#votes.set(key, votes.add(server));
    if (votes.size !== this.#accept) return;
    if (this.#chosen.some(({ ballot }) => ballot === accepted.ballot)) return;
    this.#chosen.push(accepted);
    this.#chosen.sort((a, b) => a.ballot - b.ballot);
    this.#checkChain();
  }

  #checkChain(): void {
    for (const [i, { version }] of this.#chosen.entries()) {
      const before = this.#chosen[i - 1]?.version;
      if (before && !descends(version, before) && !this.#isNewLife(before))
        throw new Violation("a chosen value does not descend from the one before");
    }
    for (const { version } of this.#chosen)
      for (let at: Version | null = version; at; at = at.parent) {
        const known: Version = this.#applied.get(at.vid) ?? at;
        if (
          known.seq !== at.seq ||
          known.parent?.vid !== at.parent?.vid ||
          known.birthFloor !== at.birthFloor
        )
          throw new Violation("a version is applied twice");
        this.#applied.set(at.vid, at);
      }
  }

  /** Was the value before, or one that came of it, deleted? Then this one may begin anew. */
  #isNewLife(before: Version): boolean {
    return (
      before.deleted ||
      this.#chosen.some(({ version: one }) => one.deleted && descends(one, before))
    );
  }
}

function ancestors(version: Version): number[] {
  const vids: number[] = [];
  for (let at: Version | null = version; at; at = at.parent) vids.push(at.vid);
  return vids;
}

const descends = (version: Version, from: Version): boolean =>
  ancestors(version).includes(from.vid);
