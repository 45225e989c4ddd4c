/**
 * A file that only takes up room, for the day when the disk is full to the last byte. The server
 * then removes it, so that the catalog can still write deletions, which make room again. Used by
 * pieces.ts.
 */
import { isDfsError } from "../../errors.ts";
import type { Disk } from "../../io/ports.ts";
import { BALLAST_BYTES, RESERVE_FILES } from "../../limits.ts";

export class Ballast {
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #path: string;
  #isThere = false;

  constructor(disk: Disk, folder: string) {
    this.#disk = disk;
    this.#folder = folder;
    this.#path = `${folder}/ballast`;
  }

  /** Makes the file, unless it is there already or the disk has little room. */
  async load(): Promise<void> {
    if (this.#isThere) return;
    const known = await this.#disk.stat(this.#path);
    if (known) this.#isThere = known.bytes === BALLAST_BYTES;
    if (this.#isThere) return;
    await this.#disk.remove(this.#path);
    const { bytes, files } = await this.#disk.space(this.#folder);
    if (bytes && bytes.free < 4 * BALLAST_BYTES) return;
    if (files && files.free < RESERVE_FILES) return;
    const file = await this.#disk.open(this.#path, "create");
    try {
      // The bytes are not zeros, for some file systems keep those without taking up room.
      await file.write(new Uint8Array(BALLAST_BYTES).fill(0xb5), 0);
      this.#isThere = true;
    } catch (error) {
      if (!isDfsError(error, "noRoom")) throw error;
    } finally {
      await file.close();
    }
  }

  /** Removes the file. Returns false if there is none. */
  async drop(): Promise<boolean> {
    if (!this.#isThere) return false;
    this.#isThere = false;
    await this.#disk.remove(this.#path);
    return true;
  }
}
