/** A connection to a server that lies, as its client has it: answers are changed on their way. */
import { type Codec, concat, decode } from "../../src/bytes.ts";
import { Writer } from "../../src/cursor.ts";
import type { Conn } from "../../src/io/ports.ts";
import { errorFrame, type Frame, FrameParser, frameOf, REPLY } from "../../src/wire/frames.ts";
import { type Kind, kindOfNumber, MESSAGES, type ReplyOf } from "../../src/wire/messages.ts";

/** Who makes another answer of an answer; it throws the DfsError that is answered instead. */
interface Answerer {
  answer<K extends Kind>(kind: K, told: ReplyOf<K>): ReplyOf<K>;
}

export class LyingConn implements Conn {
  readonly #conn: Conn;
  readonly #liar: Answerer;
  readonly #asked = new FrameParser();
  readonly #told = new FrameParser();
  readonly #kinds = new Map<number, Kind>();

  constructor(conn: Conn, liar: Answerer) {
    this.#conn = conn;
    this.#liar = liar;
    this.#asked.trust();
    this.#told.trust();
  }

  get peer(): string {
    return this.#conn.peer;
  }
  get binding(): Uint8Array | null {
    return this.#conn.binding;
  }
  get received(): number {
    return this.#conn.received;
  }
  get sent(): number {
    return this.#conn.sent;
  }

  write(...parts: Uint8Array[]): Promise<void> {
    for (const { kind, id } of this.#asked.push(new Uint8Array(concat(parts)))) {
      const known = kindOfNumber(kind);
      if (known) this.#kinds.set(id, known);
    }
    return this.#conn.write(...parts);
  }

  async read(): Promise<Uint8Array | null> {
    for (;;) {
      const bytes = await this.#conn.read();
      if (!bytes) return null;
      const frames = [...this.#told.push(bytes)].flatMap((frame) => this.#lie(frame));
      if (frames.length > 0) return concat(frames);
    }
  }

  giveBack(): void {}

  close(): void {
    this.#conn.close();
  }

  #lie(frame: Frame): Uint8Array[] {
    const { id } = frame;
    const kind = this.#kinds.get(id);
    this.#kinds.delete(id);
    if (frame.kind !== REPLY || !kind) return asTheyWere(frame);
    const codec = MESSAGES[kind].reply as Codec<ReplyOf<Kind>>;
    try {
      return frameOf(REPLY, id, codec, this.#liar.answer(kind, decode(codec, frame.body)));
    } catch (error) {
      return errorFrame(id, error);
    }
  }
}

function asTheyWere({ kind, id, body }: Frame): Uint8Array[] {
  const head = new Writer();
  head.u32(1 + 4 + body.length);
  head.u8(kind);
  head.u32(id);
  head.put(body);
  return head.parts();
}
