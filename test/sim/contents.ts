/** What simulated clients put, and where what they get goes. */
import { encode } from "../../src/bytes.ts";
import type { Found, Sink } from "../../src/client/fetch/sink.ts";
import type { ByteStream } from "../../src/client/send/byte_stream.ts";
import type { Source } from "../../src/client/send/source.ts";
import {
  type Attributes,
  attributesCodec,
  attributesOf,
  PREFIXES,
} from "../../src/file/attributes.ts";
import { Violation } from "./invariants.ts";

const SEED_BYTES = 16;
/** Nearly all that there is room for. */
const LARGE_BYTES = 12_000;

/** The bytes of a content: its number and length in front, as far as they fit, then a pattern that both make. */
export function contentOf(value: number, bytes: number): Uint8Array {
  const data = new Uint8Array(bytes).fill(value * 31 + 7);
  const head = new TextEncoder().encode(`${value}:${bytes}|`.padEnd(SEED_BYTES, "."));
  data.set(head.subarray(0, bytes));
  for (let i = SEED_BYTES; i < bytes; i += 997) data[i] = (value + i) & 0xff;
  return data;
}

/** The attributes that a content is put with: well-known ones, and others of a length of its own. */
export function attributesFor(value: number): Attributes {
  const known = { time: BigInt(value) * 1_000_000_007n - 5n, mode: value & 0o777, by: "command" };
  const length = value % 16 === 0 ? LARGE_BYTES : value % 50;
  const others: [string, number][] = [
    [`${PREFIXES.meta}value`, length],
    [`from later ${value % 3}`, 1],
  ];
  return attributesOf(
    known,
    new Map(others.map(([key, bytes]) => [key, new Uint8Array(bytes).fill(value)])),
  );
}

export const areEqual = (some: Attributes, others: Attributes): boolean =>
  Buffer.compare(encode(attributesCodec, some), encode(attributesCodec, others)) === 0;

/** The same bytes as a stream, in parts of several lengths, some of them empty. */
export function streamOf(source: Source): ByteStream {
  const { bytes: length, attributes } = source;
  async function* parts(): AsyncGenerator<Uint8Array> {
    for (let at = 0, turn = 0; at < length; turn++) {
      const part = new Uint8Array(Math.min(length - at, turn % 3 === 0 ? 65_536 : 100_001));
      await source.read(part, at);
      yield part;
      at += part.length;
      if (turn % 5 === 0) yield new Uint8Array();
    }
  }
  return { bytes: parts(), attributes };
}

export function memorySink(inOrder: boolean): Sink & { data: Uint8Array } {
  let next = 0;
  const sink = {
    inOrder,
    data: new Uint8Array(),
    async open(found: Found) {
      sink.data = new Uint8Array(found.bytes);
      next = 0;
    },
    async write(bytes: Uint8Array, offset: number) {
      if (inOrder && offset !== next) throw new Violation("a stream was written out of order");
      next = offset + bytes.length;
      sink.data.set(bytes, offset);
    },
    ...(!inOrder && {
      draft: (bytes: Uint8Array, offset: number) => sink.data.set(bytes, offset),
    }),
  };
  return sink;
}
