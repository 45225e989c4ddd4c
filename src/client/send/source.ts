/**
 * The interface of a source: where the bytes of a put come from. Used by put and by everything that
 * can be put.
 */
import { type Attributes, NO_ATTRIBUTES } from "../../file/attributes.ts";

/** Bytes to put, which can be read at any offset, more than once. */
export interface Source {
  readonly bytes: number;
  /** What the version says of the file beside its bytes. */
  readonly attributes: Attributes;
  /**
   * Fills `into` with the bytes from `offset` on. Throws when there are fewer bytes than promised.
   */
  read(into: Uint8Array, offset: number): Promise<void>;
  /**
   * For a source that may change while it is read. It is called once all was read, and before the
   * version is proposed. Throws where the bytes that were read were not the whole file at any one
   * moment.
   */
  confirm?(): Promise<void>;
}

/** Bytes that are in memory, as a source. */
export const inMemory = (data: Uint8Array, attributes = NO_ATTRIBUTES): Source => ({
  bytes: data.length,
  attributes,
  read: async (into, offset) => into.set(data.subarray(offset, offset + into.length)),
});
