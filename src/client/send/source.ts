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
  /**
   * For a source that may change meanwhile: called once all was read, and before the version is proposed; throws where what was read
   * was not the whole at any one moment.
   */
  confirm?(): Promise<void>;
}
