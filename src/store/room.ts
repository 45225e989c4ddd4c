/** How much room a disk has for pieces. A part of it stays free of them, so that promises and deletions always have room. */
import type { Clock, Disk } from "../io/ports.ts";
import {
  RESERVE_BYTES_MAX,
  RESERVE_BYTES_MIN,
  RESERVE_FRACTION,
  SPARE_BYTES,
  SPARE_MS,
} from "../limits.ts";

export class Room {
  readonly #clock: Clock;
  readonly #disk: Disk;
  readonly #folder: string;
  /** What there was at the last look, less what was promised of it since; and until when that is worth anything. */
  #spare = 0;
  #until = 0;

  constructor({ clock, disk }: { clock: Clock; disk: Disk }, folder: string) {
    this.#clock = clock;
    this.#disk = disk;
    this.#folder = folder;
  }

  /** Do so many bytes more fit? */
  async fits(bytes: number): Promise<boolean> {
    const { free, total } = await this.#disk.space(this.#folder);
    const kept = Math.min(RESERVE_BYTES_MAX, total * RESERVE_FRACTION);
    this.#spare = free - Math.max(RESERVE_BYTES_MIN, kept) - bytes;
    this.#until = this.#clock.now() + SPARE_MS;
    return this.#spare >= 0;
  }

  /** The same for what is small and of many: where there was plenty a moment ago nobody looks again. */
  async fitsSmall(bytes: number): Promise<boolean> {
    if (this.#clock.now() >= this.#until || this.#spare - bytes < SPARE_BYTES)
      return this.fits(bytes);
    this.#spare -= bytes;
    return true;
  }
}
