/** Finds what must not be there: any 16 bytes of a secret content, at any place, and words whole. */
import { createHash } from "node:crypto";

const FRAGMENT_BYTES = 16;
/** As many bits of a rolling sum as the table of fragments is looked up by. */
const TABLE_BITS = 24;
const BASE = 257;

/** A text of so many bytes in which no 16 bytes come twice, nor in one of another seed. */
export function tellingText(seed: string, bytes: number): Buffer {
  const lines: string[] = [];
  for (let length = 0, i = 0; length < bytes; i++) {
    const line = `${createHash("sha256").update(`${seed} ${i}`).digest("hex")} of ${seed}, line ${i}.\n`;
    lines.push(line);
    length += line.length;
  }
  return Buffer.from(lines.join("").slice(0, bytes), "latin1");
}

export class Detector {
  /** By the low bits of a fragment's sum: may there be one? */
  readonly #mayBe = new Uint8Array(2 ** TABLE_BITS);
  readonly #fragments = new Set<string>();
  readonly #words: Buffer[] = [];

  /** Adds fragments of a content, `step` bytes apart: whatever carries it carries one of them. */
  add(content: Buffer, step: number): void {
    for (let at = 0; at + FRAGMENT_BYTES <= content.length; at += step) {
      const fragment = content.subarray(at, at + FRAGMENT_BYTES);
      this.#fragments.add(fragment.toString("latin1"));
      this.#mayBe[sumOf(fragment) & (this.#mayBe.length - 1)] = 1;
    }
  }

  /** Adds something to be found as it is, and in the ways to write it; by its first bytes where it has so many. */
  addWord(word: string): void {
    const bytes = Buffer.from(word);
    const encoded = [bytes.toString("base64"), bytes.toString("base64url")];
    const written = [
      word,
      bytes.toString("hex"),
      ...encoded.map((text) => text.replace(/=+$/, "")),
    ];
    for (const text of new Set(written.map((one) => Buffer.from(one).toString("latin1")))) {
      if (text.length < FRAGMENT_BYTES) this.#words.push(Buffer.from(text, "latin1"));
      else this.add(Buffer.from(text.slice(0, FRAGMENT_BYTES), "latin1"), 1);
    }
  }

  /** Of what was found, a few. */
  findIn(bytes: Buffer): string[] {
    const words = this.#words.filter((word) => bytes.includes(word)).map(String);
    return [...words, ...this.#fragmentsIn(bytes)].slice(0, 5);
  }

  /** Slides over all bytes; only where the sum is that of a fragment does it look closer. */
  #fragmentsIn(bytes: Buffer): string[] {
    const found: string[] = [];
    const top = powerOf(FRAGMENT_BYTES - 1);
    const mask = this.#mayBe.length - 1;
    let sum = bytes.length < FRAGMENT_BYTES ? 0 : sumOf(bytes.subarray(0, FRAGMENT_BYTES));
    for (let end = FRAGMENT_BYTES; end <= bytes.length && found.length < 5; end++) {
      if (this.#mayBe[sum & mask]) {
        const fragment = bytes.toString("latin1", end - FRAGMENT_BYTES, end);
        if (this.#fragments.has(fragment)) found.push(fragment);
      }
      const first = bytes[end - FRAGMENT_BYTES] ?? 0;
      sum = (Math.imul(sum - Math.imul(first, top), BASE) + (bytes[end] ?? 0)) | 0;
    }
    return found;
  }
}

const sumOf = (bytes: Uint8Array): number =>
  bytes.reduce((sum, byte) => (Math.imul(sum, BASE) + byte) | 0, 0);

const powerOf = (exponent: number): number =>
  Array.from({ length: exponent }).reduce<number>((power) => Math.imul(power, BASE), 1);
