/** Files of pieces that are getting their names, from how many senders, and those that are being removed: never both at the same time. */

export class Arrivals {
  readonly #arriving = new Map<string, number>();
  readonly #removing = new Map<string, Promise<void>>();

  /** Does the work of one that brings this file, once nobody removes it. */
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

  /** Is anybody just bringing this file? */
  has(path: string): boolean {
    return this.#arriving.has(path);
  }

  /** Is it one alone that brings this file? */
  isOfOne(path: string): boolean {
    return this.#count(path) === 1;
  }

  /** From now on it is being removed, and who brings it waits until the function returned is called. */
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
