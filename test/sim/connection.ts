/**
 * One simulated TCP connection, seen from one end. Bytes arrive whole and in order, or are cut off
 * at some point by an end; what lies between is the luck of the history: latency, fragments, merged
 * reads, stalls.
 */
import { DfsError } from "../../src/errors.ts";
import type { Conn } from "../../src/io/ports.ts";
import { Outbox } from "./outbox.ts";
import type { Rng } from "./random.ts";
import { delayMs, fragments, type Weather } from "./weather.ts";
import { never, type Machine } from "./machine.ts";
import { BYTES, type World } from "./world.ts";

/** What both ends share. */
export interface Wire {
  readonly world: World;
  readonly rng: Rng;
  readonly weather: Weather;
  readonly latencyMs: number;
  /** With TLS, what binds a login to this connection. */
  readonly binding: Uint8Array | null;
  /** Do bytes get nowhere now? */
  isCut(): boolean;
  /** Neither end will see anything of this connection any more. */
  forget(): void;
}

/** Bytes under way, as the reads they will arrive in; null is the end of the stream. */
type Segment = { readonly bytes: number; readonly reads: Uint8Array[] } | null;

export class SimConn implements Conn {
  readonly peer: string;
  readonly binding: Uint8Array | null;
  readonly owner: Machine;
  received = 0;
  sent = 0;
  readonly #wire: Wire;
  #other!: SimConn;
  #flight: Segment[] = [];
  #flightBytes = 0;
  #lastDue = 0;
  #stalled = 0;
  readonly #outbox = new Outbox();
  #pumping = false;
  #inbox: Uint8Array[] = [];
  #inboxBytes = 0;
  #reader: ((bytes: Uint8Array | null) => void) | null = null;
  /** This end closed, or its machine died. */
  #closed = false;
  /** The other end's end has arrived here. */
  #ended = false;
  /** The connection is broken, though this end may not know it yet: what it sends goes nowhere. */
  #severed = false;

  private constructor(wire: Wire, owner: Machine, peer: string) {
    this.#wire = wire;
    this.owner = owner;
    this.peer = peer;
    this.binding = wire.binding;
  }

  /** The two ends of a new connection; each is called by what the other end sees of it. */
  static pair(
    wire: Wire,
    a: Machine,
    b: Machine,
    bSeenByA: string,
    aSeenByB: string,
  ): [SimConn, SimConn] {
    const ends: [SimConn, SimConn] = [
      new SimConn(wire, a, bSeenByA),
      new SimConn(wire, b, aSeenByB),
    ];
    ends[0].#other = ends[1];
    ends[1].#other = ends[0];
    return ends;
  }

  read(): Promise<Uint8Array | null> {
    if (!this.owner.alive) return never();
    if (this.#reader) throw new Error("bug: one read at a time");
    if (this.#closed) return Promise.resolve(null);
    const first = this.#inbox.shift();
    if (!first) {
      if (this.#ended) return Promise.resolve(null);
      return new Promise((resolve) => (this.#reader = resolve));
    }
    let bytes = first;
    if (this.#inbox.length > 0 && this.#wire.rng.chance(this.#wire.weather.mergeChance)) {
      bytes = Buffer.concat([first, ...this.#inbox]);
      this.#inbox = [];
    }
    this.#inboxBytes -= bytes.length;
    this.#other.#roomAgain();
    return Promise.resolve(bytes);
  }

  /** Whoever still reads them sees that he must not. */
  giveBack(bytes: Uint8Array): void {
    bytes.fill(0xee);
  }

  write(...parts: Uint8Array[]): Promise<void> {
    if (!this.owner.alive) return never();
    if (this.#closed || this.#ended) return Promise.reject(this.#broken());
    let total = 0;
    for (const part of parts) total += part.length;
    if (this.#outbox.isEmpty && total <= this.#room()) {
      if (total > 0) this.#send(Buffer.concat(parts, total));
      return Promise.resolve();
    }
    const taken = this.#outbox.add(parts);
    this.#pump();
    return taken;
  }

  close(): void {
    if (this.#closed || !this.owner.alive) return;
    this.#closed = true;
    // close(2) with bytes unread resets the connection, and what it had accepted may be lost.
    const unread = this.#inboxBytes > 0 || this.#other.#flightBytes > 0;
    this.#abandon();
    if (!this.#ended) this.#sendEnd(unread && this.#wire.rng.chance(0.5));
    this.#forgetIfOver();
  }

  /** The machine of this end died: nothing here settles any more, and its peer learns of it. */
  die(): void {
    if (!this.#closed && !this.#ended) this.#sendEnd(true);
    this.#closed = true;
    this.#inbox = [];
    this.#outbox.forget();
    this.#reader = null;
    this.#forgetIfOver();
  }

  /**
   * The connection breaks: both ends see it, each in its own time, and lose what was under way from
   * some point on.
   */
  snap(withinMs: number, all: boolean): void {
    this.#severed = true;
    this.#other.#severed = true;
    for (const end of [this, this.#other]) {
      if (end.#ended || end.#closed) continue;
      end.#other.#lose(all);
      const { world, rng } = this.#wire;
      const due = Math.max(end.#other.#lastDue, world.now + rng.fraction() * withinMs);
      world.after(due - world.now, end.owner, "broken", () => end.#arriveEnd(rng.chance(0.5)));
    }
  }

  /** What a cut link held back goes on its way. */
  resume(): void {
    for (const end of [this, this.#other]) {
      for (; end.#stalled > 0; end.#stalled--) end.#schedule();
    }
  }

  #room(): number {
    return this.#wire.weather.bufferBytes - this.#flightBytes - this.#other.#inboxBytes;
  }

  /** Takes as much of the waiting writes as there is room for. */
  #pump(): void {
    const room = this.#room();
    const bytes = room > 0 ? this.#outbox.take(room) : null;
    if (bytes && bytes.length > 0) this.#send(bytes);
  }

  /** The reader took bytes: a writer that waits learns so, a latency later. */
  #roomAgain(): void {
    if (this.#outbox.isEmpty || this.#pumping) return;
    this.#pumping = true;
    this.#wire.world.after(this.#delay(), this.owner, "room", () => {
      this.#pumping = false;
      this.#pump();
    });
  }

  /**
   * Takes bytes that are nobody else's; a Buffer, because that is what a real socket's reader gets.
   */
  #send(bytes: Buffer): void {
    this.sent += bytes.length;
    this.#flightBytes += bytes.length;
    if (this.#severed) return;
    this.#flight.push({
      bytes: bytes.length,
      reads: fragments(this.#wire.rng, this.#wire.weather, bytes),
    });
    this.#schedule();
  }

  #sendEnd(losing: boolean): void {
    if (this.#severed) return;
    if (losing) this.#lose(false);
    this.#flight.push(null);
    this.#schedule();
  }

  #schedule(): void {
    const { world } = this.#wire;
    const due = Math.max(this.#lastDue, world.now + this.#delay());
    this.#lastDue = due;
    world.after(due - world.now, this.#other.owner, "deliver", () => this.#other.#arrive());
  }

  #delay(): number {
    const { rng, weather, latencyMs } = this.#wire;
    return delayMs(rng, weather, latencyMs);
  }

  /** Drops what is under way from a random byte on; or all of it. */
  #lose(all: boolean): void {
    const { rng } = this.#wire;
    let left = all ? 0 : rng.int(this.#flightBytes + 1);
    const kept: Segment[] = [];
    this.#flightBytes = 0;
    for (const segment of this.#flight) {
      if (!segment || left === 0) break;
      const bytes = Math.min(left, segment.bytes);
      left -= bytes;
      kept.push(
        bytes === segment.bytes ? segment : { bytes, reads: [Buffer.concat(segment.reads, bytes)] },
      );
      this.#flightBytes += bytes;
    }
    this.#flight = kept;
  }

  /** The next segment under way to this end is here. */
  #arrive(): void {
    const from = this.#other;
    if (this.#wire.isCut()) {
      from.#stalled++;
      return;
    }
    const segment = from.#flight.shift();
    if (segment === undefined) return;
    if (segment === null) return this.#arriveEnd(false);
    from.#flightBytes -= segment.bytes;
    if (this.#closed && !this.#severed && this.#wire.rng.chance(0.5)) {
      // Bytes for a closed socket are answered by a reset, which may overtake what the peer has not
      // read yet.
      this.snap(0, false);
    }
    if (this.#closed || this.#ended) return;
    this.received += segment.bytes;
    for (const bytes of segment.reads) {
      this.#wire.world.note(BYTES, Bun.hash.crc32(bytes));
      this.#inbox.push(bytes);
    }
    this.#inboxBytes += segment.bytes;
    this.#wake();
  }

  #arriveEnd(dropUnread: boolean): void {
    if (this.#closed || this.#ended) return;
    this.#ended = true;
    if (dropUnread) {
      this.#inbox = [];
      this.#inboxBytes = 0;
    }
    this.#wake();
    this.#outbox.fail(this.#broken());
    this.#forgetIfOver();
  }

  /** Gives a waiting reader what there is. */
  #wake(): void {
    const reader = this.#reader;
    if (!reader || (this.#inbox.length === 0 && !this.#ended)) return;
    this.#reader = null;
    void this.read().then(reader);
  }

  #abandon(): void {
    this.#inbox = [];
    this.#inboxBytes = 0;
    this.#reader?.(null);
    this.#reader = null;
    this.#outbox.fail(this.#broken());
  }

  #forgetIfOver(): void {
    const over = (end: SimConn): boolean => end.#closed || end.#ended;
    if (over(this) && over(this.#other)) this.#wire.forget();
  }

  #broken(): DfsError {
    return new DfsError("down", `${this.peer}: the connection broke`);
  }
}
