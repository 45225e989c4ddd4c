/** Where the bytes of a get go, and what is told of them before they come. */
import type { Vid } from "../../version.ts";

/** What a get learned before its bytes come. */
export interface Found {
  readonly name: string;
  readonly vid: Vid;
  readonly bytes: number;
  /** The rotation of its placement. */
  readonly rotation: number;
  readonly modified: number;
  readonly mode: number;
}

/**
 * Where bytes go. `open` is called before the first write, and once more should a newer version have to take the place of one
 * that could not be read to its end: then all that was written is void. What is written has been verified.
 */
export interface Sink {
  /** Must writes come in the order of the file? */
  readonly inOrder: boolean;
  open(found: Found): Promise<void>;
  write(bytes: Uint8Array, offset: number): Promise<void>;
}
