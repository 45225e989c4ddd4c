/** Where the bytes of a put come from. */

/** What is put: bytes that can be read at any offset, more than once. */
export interface Source {
  readonly bytes: number;
  /** Milliseconds since 1970. */
  readonly modified: number;
  /** Permission bits. */
  readonly mode: number;
  /** Fills `into` from `offset` on; throws when there are fewer bytes than were promised. */
  read(into: Uint8Array, offset: number): Promise<void>;
}
