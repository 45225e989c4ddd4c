/** Where the bytes of a get go, and what a get learns before they come. Given by callers of get. */
import type { Attributes } from "../../file/attributes.ts";
import type { Vid } from "../../version.ts";

/** What a get knows of a file before its bytes come. */
export interface Found {
  readonly name: string;
  readonly vid: Vid;
  readonly bytes: number;
  /** The rotation of its placement. */
  readonly rotation: number;
  readonly attributes: Attributes;
}

/**
 * Where bytes go. `open` is called before the first write. It is called again if a newer version
 * must replace one that could not be read to its end; then everything written so far is void.
 */
export interface Sink {
  /** Must writes come in the order of the file? */
  readonly inOrder: boolean;
  open(found: Found): Promise<void>;
  /** Writes bytes that were verified. They are lent until it resolves. */
  write(bytes: Uint8Array, offset: number): Promise<void>;
  /**
   * Only of a sink that shows nobody what is in it until the get has ended well. It writes, before
   * it returns, bytes that are lent for so long and are not verified yet. Damaged ones are written
   * over.
   */
  readonly draft?: (bytes: Uint8Array, offset: number) => void;
}
