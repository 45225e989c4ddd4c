/** The requests of one connection that wait for their replies, by number. Used by peer. */
import type { DfsError } from "../../../errors.ts";
import type { Taker } from "../../../wire/arriving_data.ts";
import type { Kind } from "../../../wire/messages.ts";

/** Requests are numbered from 1 to this number, again and again. */
const IDS = 2 ** 32 - 1;

/** Who waits for the reply to a request of this kind. */
export interface Waiting {
  readonly kind: Kind;
  /** Gets the data of the reply as it comes. */
  readonly take: Taker | undefined;
  readonly resolve: (reply: never) => void;
  readonly reject: (error: DfsError) => void;
}

export class Requests {
  readonly #waiting = new Map<number, Waiting>();
  #last: number;

  /** `last`: the number that was given last. */
  constructor(last = 0) {
    this.#last = last;
  }

  /** How many wait. */
  get size(): number {
    return this.#waiting.size;
  }

  /** The next number that no waiting request has. */
  nextId(): number {
    do this.#last = (this.#last % IDS) + 1;
    while (this.#waiting.has(this.#last));
    return this.#last;
  }

  /** From now on `request` waits for the reply with this number. */
  wait(id: number, request: Waiting): void {
    this.#waiting.set(id, request);
  }

  /** Who gets the data of the reply with this number as it comes, if anybody. */
  takerOf(id: number): Taker | undefined {
    return this.#waiting.get(id)?.take;
  }

  /** The request with this number, which waits no longer; undefined: none has it. */
  take(id: number): Waiting | undefined {
    const request = this.#waiting.get(id);
    this.#waiting.delete(id);
    return request;
  }

  /** All that wait, and wait no longer. */
  takeAll(): Waiting[] {
    const all = [...this.#waiting.values()];
    this.#waiting.clear();
    return all;
  }
}
