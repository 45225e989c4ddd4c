/** A server whose names, and users, have no end; what it says otherwise is genuine. */
import { encode } from "../../src/bytes.ts";
import { USERS_PAGE } from "../../src/limits.ts";
import { outlinesCodec } from "../../src/outline.ts";
import type { Kind, ReplyOf } from "../../src/wire/messages.ts";
import { vidOf } from "../harness/arbitraries.ts";
import { inStore } from "../harness/named.ts";

export interface Lies {
  /** Names on each page. */
  readonly page: number;
  /** Does it say that it knows them to have been chosen, and has all their pieces? */
  readonly isWhole: boolean;
  /** What its names begin and end with. */
  readonly begin?: string;
  readonly end?: string;
}

/** Answers with pages of names after all that it has said before, and between those that there are. */
export class EndlessLiar {
  readonly #lies: Lies;
  #said = 0;
  pages = 0;

  constructor(lies: Lies) {
    this.#lies = lies;
  }

  answer<K extends Kind>(kind: K, told: ReplyOf<K>): ReplyOf<K> {
    if (kind === "list") return this.#list() as ReplyOf<K>;
    if (kind === "spaces") return this.#spaces() as ReplyOf<K>;
    return told;
  }

  #next(begin: string): string {
    return begin + String(++this.#said).padStart(12, "0");
  }

  #list(): ReplyOf<"list"> {
    this.pages++;
    const kind = { vid: vidOf(1), put: 0, deleted: false, pieces: 4, needed: 4 };
    const value = { ballot: 5n, ...kind, striped: false, size: 9 };
    const values = encode(outlinesCodec, { acc: value, com: this.#lies.isWhole ? value : null });
    const held = this.#lies.isWhole ? [0, 1, 2, 3] : [];
    const here = [{ held, lacking: 0, astray: 0 }];
    const entries = Array.from({ length: this.#lies.page }, () => ({
      name: inStore(this.#next(this.#lies.begin ?? "m") + (this.#lies.end ?? "")),
      damaged: false,
      others: false,
      values,
      here,
    }));
    return { complete: true, entries, done: false };
  }

  #spaces(): ReplyOf<"spaces"> {
    return { users: Array.from({ length: USERS_PAGE }, () => this.#next("u")), done: false };
  }
}
