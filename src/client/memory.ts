/** What a computer remembers of a cluster from one command to the next: few facts, each by its key (cli/seen keeps them). */

export interface ClusterMemory {
  /** Where it lies, for messages. */
  readonly place: string;
  /** What was noted last under this key; null: nothing. */
  factOf(key: string): Uint8Array | null;
  noteFact(key: string, value: Uint8Array): void;
}
