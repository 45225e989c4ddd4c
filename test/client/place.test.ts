/** A chunk that one server brings, or several at once. */
import { expect, test } from "bun:test";
import { Place } from "../../src/client/fetch/place.ts";
import type { Put } from "../../src/client/fetch/piece_reader.ts";

const LENGTH = 6;

/** A place, and what is written there. */
function placeOf(): { place: Place; there: () => string } {
  const written = Buffer.alloc(LENGTH, ".");
  const place = new Place(LENGTH, (part, at) => written.set(part, at));
  return { place, there: () => written.toString() };
}

/** Who brings bytes when it is told to. */
class Bringer {
  #put: Put | null = null;
  readonly #over = Promise.withResolvers<void>();
  readonly filled: Promise<true>;

  constructor(place: Place) {
    this.filled = place.fill((put) => {
      this.#put = put;
      return this.#over.promise;
    });
    this.filled.catch(() => {});
  }

  bring(text: string, at: number): void {
    this.#put?.(Buffer.from(text), at);
  }
  isVerified(): Promise<true> {
    this.#over.resolve();
    return this.filled;
  }
  async fails(): Promise<void> {
    this.#over.reject(new Error("damaged"));
    await this.filled.catch(() => {});
  }
}

test("what the first one brings is there at once", async () => {
  const { place, there } = placeOf();
  const first = new Bringer(place);
  first.bring("ab", 0);
  expect(there()).toBe("ab....");
  first.bring("cdef", 2);
  await first.isVerified();
  expect(there()).toBe("abcdef");
});

test("what a second one brings is there once it is verified, and the first changes nothing after that", async () => {
  const { place, there } = placeOf();
  const first = new Bringer(place);
  const second = new Bringer(place);
  first.bring("xx", 0);
  second.bring("abcdef", 0);
  expect(there()).toBe("xx....");
  await second.isVerified();
  expect(there()).toBe("abcdef");
  first.bring("xxxx", 2);
  expect(there()).toBe("abcdef");
  await first.fails();
  const third = new Bringer(place);
  third.bring("xx", 4);
  expect(there()).toBe("abcdef");
});

test("a second one that comes too late, or fails, changes nothing", async () => {
  const { place, there } = placeOf();
  const [first, second, third] = [new Bringer(place), new Bringer(place), new Bringer(place)];
  second.bring("xx", 0);
  await second.fails();
  first.bring("abcdef", 0);
  await first.isVerified();
  third.bring("yyyyyy", 0);
  await third.isVerified();
  expect(there()).toBe("abcdef");
});

test("after the first one has failed, the next one writes over what it left, at once", async () => {
  const { place, there } = placeOf();
  const first = new Bringer(place);
  first.bring("xxx", 0);
  await first.fails();
  const next = new Bringer(place);
  next.bring("ab", 0);
  expect(there()).toBe("abx...");
  next.bring("cdef", 2);
  await next.isVerified();
  expect(there()).toBe("abcdef");
});
