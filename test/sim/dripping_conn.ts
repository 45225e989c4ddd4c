/** A connection to a server that, from its first question of some kind on, answers a byte now and then. */
import { concat } from "../../src/bytes.ts";
import type { Conn, Net } from "../../src/io/ports.ts";
import { FrameParser } from "../../src/wire/frames.ts";
import { type Kind, kindOfNumber } from "../../src/wire/messages.ts";
import type { World } from "./world.ts";

const DRIP_MS = 4000;

class DrippingConn implements Conn {
  readonly #conn: Conn;
  readonly #world: World;
  readonly #kind: Kind;
  readonly #asked = new FrameParser();
  #isDripping = false;
  #left: Uint8Array = new Uint8Array();
  received = 0;

  constructor(conn: Conn, world: World, kind: Kind) {
    this.#conn = conn;
    this.#world = world;
    this.#kind = kind;
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
      if (kindOfNumber(kind) === this.#kind) this.#isDripping = true;
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
    if (this.#isDripping) await this.#world.sleep(DRIP_MS);
    this.received += bytes.length;
    return bytes;
  }

  close(): void {
    this.#conn.close();
  }
}

/** The network of a client that meets such a server where `isDripper` says. */
export const drippingNet = (
  net: Net,
  world: World,
  kind: Kind,
  isDripper: (host: string) => boolean,
): Net => ({
  ...net,
  connect: async (host, port, ms, secure) => {
    const conn = await net.connect(host, port, ms, secure);
    return isDripper(host) ? new DrippingConn(conn, world, kind) : conn;
  },
});
