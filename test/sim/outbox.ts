/** The writes of one end of a simulated connection that the network has not taken yet, in order. */
import type { DfsError } from "../../src/errors.ts";

interface PendingWrite {
  readonly parts: Uint8Array[];
  part: number;
  offset: number;
  readonly resolve: () => void;
  readonly reject: (error: DfsError) => void;
}

export class Outbox {
  readonly #writes: PendingWrite[] = [];

  get isEmpty(): boolean {
    return this.#writes.length === 0;
  }

  /** Resolves when all of these were taken. */
  add(parts: Uint8Array[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#writes.push({ parts, part: 0, offset: 0, resolve, reject });
    });
  }

  /**
   * A copy of the next bytes, at most `room` of them; the writes that are through with it resolve.
   */
  take(room: number): Buffer {
    const taken: Uint8Array[] = [];
    let left = room;
    for (let head = this.#writes[0]; head; head = this.#writes[0]) {
      const part = head.parts[head.part];
      if (part === undefined) {
        this.#writes.shift();
        head.resolve();
      } else if (head.offset === part.length) {
        head.part++;
        head.offset = 0;
      } else if (left === 0) {
        break;
      } else {
        const piece = part.subarray(head.offset, head.offset + left);
        taken.push(piece);
        left -= piece.length;
        head.offset += piece.length;
      }
    }
    return Buffer.concat(taken);
  }

  /** None of these will be sent. */
  fail(error: DfsError): void {
    for (const { reject } of this.#writes.splice(0)) reject(error);
  }

  /** Nobody is there any more to be told. */
  forget(): void {
    this.#writes.length = 0;
  }
}
