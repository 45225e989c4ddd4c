/** A connection to a server that, from some question on, answers a byte now and then; the real one and the simulated one. */
import { concat } from "../../src/bytes.ts";
import type { Conn, Net } from "../../src/io/ports.ts";
import { FrameParser } from "../../src/wire/frames.ts";
import { type Kind, kindOfNumber } from "../../src/wire/messages.ts";

const DRIP_MS = 4000;

/** Is it from this question on, of the kinds that were asked so far? */
export type Begins = (kind: Kind | null, count: number) => boolean;

export class DrippingConn implements Conn {
  readonly #conn: Conn;
  readonly #sleep: (ms: number) => Promise<void>;
  readonly #begins: Begins;
  #count = 0;
  readonly #asked = new FrameParser();
  #isDripping = false;
  #left: Uint8Array = new Uint8Array();
  received = 0;

  constructor(conn: Conn, sleep: (ms: number) => Promise<void>, begins: Begins) {
    this.#conn = conn;
    this.#sleep = sleep;
    this.#begins = begins;
    this.#asked.trust();
  }

  get peer(): string {
    return this.#conn.peer;
  }
  get binding(): Uint8Array | null {
    return this.#conn.binding;
  }
  get sent(): number {
    return this.#conn.sent;
  }

  write(...parts: Uint8Array[]): Promise<void> {
    for (const { kind } of this.#asked.push(new Uint8Array(concat(parts))))
      if (this.#begins(kindOfNumber(kind) ?? null, ++this.#count)) this.#isDripping = true;
    return this.#conn.write(...parts);
  }

  async read(): Promise<Uint8Array | null> {
    if (this.#left.length === 0) {
      const bytes = await this.#conn.read();
      if (!bytes) return null;
      this.#left = bytes;
    }
    const bytes = this.#isDripping ? this.#left.subarray(0, 1) : this.#left;
    this.#left = this.#left.subarray(bytes.length);
    if (this.#isDripping) await this.#sleep(DRIP_MS);
    this.received += bytes.length;
    return bytes;
  }

  giveBack(): void {}

  close(): void {
    this.#conn.close();
  }
}

/** The network of a client that meets such a server where `isDripper` says. */
export const drippingNet = (
  net: Net,
  sleep: (ms: number) => Promise<void>,
  begins: Begins,
  isDripper: (host: string) => boolean,
): Net => ({
  ...net,
  connect: async (host, port, ms, secure) => {
    const conn = await net.connect(host, port, ms, secure);
    return isDripper(host) ? new DrippingConn(conn, sleep, begins) : conn;
  },
});
