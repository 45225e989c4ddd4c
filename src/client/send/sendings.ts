/** What one piece, or the stripes of one file, have on the way to servers. Used by pieces. */
import { orInterrupted } from "../connect/living/interruption.ts";

export class Sendings {
  readonly #signal: AbortSignal | null;
  readonly #underWay = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | null = null;

  constructor(signal: AbortSignal | null) {
    this.#signal = signal;
  }

  add(work: Promise<unknown>): void {
    const ended: Promise<void> = work
      .then(
        () => {},
        (error: unknown) => void (this.#failure ??= { error }),
      )
      .finally(() => this.#underWay.delete(ended));
    this.#underWay.add(ended);
  }

  /** Waits until fewer than `count` are under way. Throws what one of them threw. */
  async fewerThan(count: number): Promise<void> {
    while (this.#underWay.size >= count)
      await orInterrupted(Promise.race(this.#underWay), this.#signal);
    if (this.#failure) throw this.#failure.error;
  }

  /** Waits until all have ended, well or not. Throws DfsError("interrupted"), and nothing else. */
  async ended(): Promise<void> {
    await orInterrupted(Promise.all(this.#underWay), this.#signal);
  }
}
