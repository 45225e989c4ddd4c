/**
 * Turns values into bytes and back. Each format is declared once, as a codec, and its TypeScript
 * type is inferred from the codec. All numbers are big-endian. Every length is checked against its
 * bound before memory is taken for it. Used wherever bytes have a format: by file, wire, store,
 * server and client.
 */
import { malformed, Reader, unfilled, Writer } from "./cursor.ts";
import { assert, DfsError } from "./errors.ts";

/** Writes one kind of value as bytes, and reads it back. */
export interface Codec<T> {
  write(w: Writer, value: T): void;
  read(r: Reader): T;
}

/** The type of the values of a codec. */
export type Value<C> = C extends Codec<infer T> ? T : never;

export const u8: Codec<number> = { write: (w, v) => w.u8(v), read: (r) => r.u8() };
export const u16: Codec<number> = { write: (w, v) => w.u16(v), read: (r) => r.u16() };
export const u32: Codec<number> = { write: (w, v) => w.u32(v), read: (r) => r.u32() };

/** A whole number up to 2^53 - 1, in eight bytes. */
export const u53: Codec<number> = {
  write(w, v) {
    assert(Number.isSafeInteger(v) && v >= 0, `a whole number was to be written, and it is ${v}`);
    w.u32(Math.floor(v / 2 ** 32));
    w.u32(v % 2 ** 32);
  },
  read(r) {
    const v = r.u32() * 2 ** 32 + r.u32();
    if (v > Number.MAX_SAFE_INTEGER) throw malformed("a number is too large");
    return v;
  },
};

/** A whole number from -2^63 to 2^63 - 1, in eight bytes: two's complement. */
export const i64: Codec<bigint> = {
  write(w, v) {
    assert(BigInt.asIntN(64, v) === v, `a number of 64 bits was to be written, and it is ${v}`);
    w.bigU64(BigInt.asUintN(64, v));
  },
  read: (r) => BigInt.asIntN(64, r.bigU64()),
};

/** An unsigned number of 128 bits, in sixteen bytes. */
export const u128: Codec<bigint> = {
  write(w, v) {
    w.bigU64(v >> 64n);
    w.bigU64(v & 0xffff_ffff_ffff_ffffn);
  },
  read: (r) => (r.bigU64() << 64n) | r.bigU64(),
};

export const bool: Codec<boolean> = {
  write: (w, v) => w.u8(v ? 1 : 0),
  read(r) {
    const v = r.u8();
    if (v > 1) throw malformed("a flag is neither 0 nor 1");
    return v === 1;
  },
};

/** Exactly `n` bytes. */
export const fixed = (n: number): Codec<Uint8Array> => ({
  write(w, v) {
    assert(v.length === n, `a field of ${n} bytes got ${v.length}`);
    w.put(v);
  },
  read: (r) => r.take(n),
});

/** Exactly `n` bytes, as a string of 2n hexadecimal digits. */
export function hex(n: number): Codec<string> {
  const raw = fixed(n);
  return {
    write(w, v) {
      // The value may come from a disk, so this is an error and no assertion.
      if (!/^(?:[0-9a-f]{2})*$/.test(v)) throw malformed("an id is not of hexadecimal digits");
      raw.write(w, Uint8Array.fromHex(v));
    },
    read: (r) => raw.read(r).toHex(),
  };
}

/** Up to `max` bytes, with their length before them. */
export const bytes = (max: number): Codec<Uint8Array> => ({
  write(w, v) {
    assert(v.length <= max, `a field of at most ${max} bytes got ${v.length}`);
    w.u32(v.length);
    w.put(v);
  },
  read(r) {
    const n = r.u32();
    if (n > max) throw malformed(`a field of at most ${max} bytes claims ${n}`);
    return r.take(n);
  },
});

const utf8 = new TextEncoder();
const utf8Reader = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A string of up to `max` bytes of UTF-8, with their length before them. */
export function text(max: number): Codec<string> {
  const raw = bytes(max);
  return {
    write: (w, v) => raw.write(w, utf8.encode(v)),
    read(r) {
      try {
        return utf8Reader.decode(raw.read(r));
      } catch (error) {
        throw error instanceof DfsError ? error : malformed("a text is not UTF-8");
      }
    },
  };
}

/** Up to `max` values, with their number before them. */
export const list = <T>(item: Codec<T>, max: number): Codec<T[]> => ({
  write(w, v) {
    assert(v.length <= max, `a list of at most ${max} got ${v.length}`);
    w.u32(v.length);
    for (const x of v) item.write(w, x);
  },
  read(r) {
    const n = r.u32();
    if (n > max) throw malformed(`a list of at most ${max} claims ${n}`);
    const out: T[] = [];
    for (let i = 0; i < n; i++) out.push(item.read(r));
    return out;
  },
});

/** A value, or null. */
export const optional = <T>(item: Codec<T>): Codec<T | null> => ({
  write(w, v) {
    bool.write(w, v !== null);
    if (v !== null) item.write(w, v);
  },
  read: (r) => (bool.read(r) ? item.read(r) : null),
});

/** One of a few words, written as its index among them. */
export const oneOf = <T extends string>(...words: readonly T[]): Codec<T> => ({
  write: (w, v) => w.u8(words.indexOf(v)),
  read(r) {
    const word = words[r.u8()];
    if (word === undefined) throw malformed("a word is none of those there are");
    return word;
  },
});

type Struct<F> = { [K in keyof F]: Value<F[K]> };

/** Named fields, in the order of their declaration. */
export function struct<F extends { [K in keyof F]: Codec<Value<F[K]>> }>(
  fields: F,
): Codec<Struct<F>> {
  const entries = Object.entries(fields) as [string, Codec<never>][];
  return {
    write(w, v) {
      for (const [name, field] of entries) field.write(w, v[name as keyof F] as never);
    },
    read(r) {
      const out: Record<string, unknown> = {};
      for (const [name, field] of entries) out[name] = field.read(r);
      return out as Struct<F>;
    },
  };
}

/**
 * The same codec for values that never change. The bytes of a value are kept: it is encoded only
 * once, or never where it was read from bytes.
 */
export function unchanging<T extends object>(codec: Codec<T>): Codec<T> {
  const known = new WeakMap<T, Uint8Array>();
  return {
    write(w, v) {
      const made = known.get(v) ?? encode(codec, v);
      known.set(v, made);
      w.put(made);
    },
    read(r) {
      const { left } = r;
      const v = codec.read(r);
      known.set(v, r.last(left - r.left));
      return v;
    },
  };
}

/** The bytes of one value, in one array. */
export function encode<T>(codec: Codec<T>, value: T): Uint8Array {
  const w = new Writer();
  codec.write(w, value);
  return concat(w.parts());
}

/** The value that these bytes encode. Throws DfsError("protocol") unless it takes all of them. */
export function decode<T>(codec: Codec<T>, from: Uint8Array): T {
  const r = new Reader(from);
  const value = codec.read(r);
  if (r.left > 0) throw malformed(`${r.left} bytes are left over`);
  return value;
}

/** One array of all parts; the part itself where there is only one. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const [first] = parts;
  if (parts.length === 1 && first) return first;
  const out = unfilled(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
