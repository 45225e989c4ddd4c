/**
 * Keeps the arrival and the removal of a piece's file apart: a file is never given its name and
 * removed at the same time. Used by pieces.ts.
 */

export class Arrivals {
  readonly #arriving = new Map<string, number>();
  readonly #removing = new Map<string, Promise<void>>();

  /** Does the work of a sender that brings this file, once no removal of it is under way. */
  async during<T>(path: string, work: () => Promise<T>): Promise<T> {
    while (this.#removing.has(path)) await this.#removing.get(path);
    this.#arriving.set(path, this.#count(path) + 1);
    try {
      return await work();
    } finally {
      const others = this.#count(path) - 1;
      if (others > 0) this.#arriving.set(path, others);
      else this.#arriving.delete(path);
    }
  }

  /** Is any sender bringing this file just now? */
  has(path: string): boolean {
    return this.#arriving.has(path);
  }

  /** Is exactly one sender bringing this file? */
  hasOneSender(path: string): boolean {
    return this.#count(path) === 1;
  }

  /**
   * Begins a removal of this file: senders that bring it wait until the returned function is
   * called.
   */
  remove(path: string): () => void {
    const removal = Promise.withResolvers<void>();
    this.#removing.set(path, removal.promise);
    return () => {
      this.#removing.delete(path);
      removal.resolve();
    };
  }

  #count(path: string): number {
    return this.#arriving.get(path) ?? 0;
  }
}
