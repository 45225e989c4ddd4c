/**
 * What a server holds for its peers: the bytes of requests until they are answered, and of replies until they are taken. One number for
 * each connection, one for all; who may begin one more request goes by them.
 */
import {
  FRAME_BYTES,
  INFLIGHT_BYTES,
  INFLIGHT_BYTES_MAX,
  INFLIGHT_BYTES_PER_CONNECTION,
  INFLIGHT_SHARE,
  LIST_PAGE_BYTES,
  MANIFEST_BYTES,
  ROOM_POLL_MS,
  STALLED_MS,
  USER_BYTES,
  USERS_PAGE,
} from "../../limits.ts";
import type { Clock } from "../../io/ports.ts";
import type { Kind } from "../../wire/messages.ts";

/** One that has a weight, as the others see it. */
interface Weighed {
  /** Bytes that are held for it. */
  readonly held: number;
  /** Since when it has taken no whole reply though there is one for it, or sent no whole frame though it began one; null: neither. */
  readonly stalledSince: number | null;
  close(): void;
}

/** What the connections of one user weigh, all together. */
interface Group {
  bytes: number;
  members: number;
}

/** What all connections of a server weigh. */
export class Load {
  bytes = 0;
  /** Bytes of all requests and replies so far. */
  total = 0;
  readonly #peers = new Set<Weighed>();
  readonly #waiting = new Set<() => void>();
  readonly #groups = new Map<string, Group>();
  #relievedAt = 0;

  /**
   * May one that weighs `bytes`, of a user whose connections weigh `ofUser`, begin one more request? Both have a share of what is free, so
   * that there is mostly room for others; and one that has nothing under way may have one.
   */
  hasRoomFor(bytes: number, ofUser: number): boolean {
    if (bytes === 0) return this.bytes < INFLIGHT_BYTES_MAX;
    const free = INFLIGHT_BYTES - this.bytes;
    return bytes < free / INFLIGHT_SHARE && ofUser < free;
  }

  /** The group of this user, with one more member. */
  groupOf(user: string): Group {
    const group = this.#groups.get(user) ?? { bytes: 0, members: 0 };
    this.#groups.set(user, group);
    group.members++;
    return group;
  }

  /** One member less. */
  leaveGroup(user: string): void {
    const group = this.#groups.get(user);
    if (group && --group.members === 0) this.#groups.delete(user);
  }

  /** Is there far more than there should be? */
  get isOver(): boolean {
    return this.bytes >= 2 * INFLIGHT_BYTES_MAX;
  }

  join(peer: Weighed): void {
    this.#peers.add(peer);
  }

  leave(peer: Weighed): void {
    this.#peers.delete(peer);
  }

  /**
   * Where nobody may begin anything any more, closes the connections that have stalled for longest, if they have had their time; where there
   * is far too much, in any case.
   */
  relieve(now: number): void {
    const wanted = this.bytes - INFLIGHT_BYTES_MAX + FRAME_BYTES;
    // All that wait ask for it.
    if (this.bytes < INFLIGHT_BYTES_MAX || (!this.isOver && now - this.#relievedAt < ROOM_POLL_MS))
      return;
    this.#relievedAt = now;
    const patience = this.isOver ? 0 : STALLED_MS;
    const stalled = [...this.#peers]
      .map((peer) => ({ peer, since: peer.stalledSince ?? now + 1 }))
      .filter(({ since }) => since <= now - patience)
      .toSorted((a, b) => a.since - b.since);
    let freed = 0;
    for (const { peer } of stalled) {
      if (freed >= wanted) break;
      freed += peer.held;
      this.leave(peer);
      peer.close();
    }
  }

  /** Has `wake` called when there may be room; the function returned takes that back. */
  waitForRoom(clock: Clock, wake: () => void): () => void {
    this.relieve(clock.now());
    this.#waiting.add(wake);
    const cancel = clock.after(ROOM_POLL_MS, wake);
    return () => {
      cancel();
      this.#waiting.delete(wake);
    };
  }

  /** So much more, or less. */
  add(bytes: number): void {
    this.bytes += bytes;
    if (bytes >= 0) return;
    // The first to come has its turn first; those for whom there is no room yet come back.
    const [first] = this.#waiting;
    if (!first) return;
    this.#waiting.delete(first);
    first();
  }
}

/** What one connection weighs, in all and in requests that are not answered yet. */
export class Weight {
  readonly #load: Load;
  /** Of requests, and of their replies until they are taken. */
  #bytes = 0;
  /** Of what has come, and is no whole request yet. */
  #inHand = 0;
  #group: Group | null = null;
  #user: string | null = null;

  constructor(load: Load) {
    this.#load = load;
  }

  /** Bytes that are held for it. */
  get held(): number {
    return this.#bytes + this.#inHand;
  }

  /** May it begin one more request? One that is at rest may, while there is any room at all. */
  get hasRoom(): boolean {
    const ofUser = this.#group?.bytes ?? 0;
    return !this.isFull && this.#load.hasRoomFor(this.#bytes, ofUser);
  }

  /** It is this user's from now on. */
  isOf(user: string): void {
    this.leave();
    this.#user = user;
    this.#group = this.#load.groupOf(user);
    this.#group.bytes += this.#bytes;
  }

  /** The connection is over; what it weighs still is given back later. */
  leave(): void {
    this.holds(0);
    if (this.#user !== null) this.#load.leaveGroup(this.#user);
    this.#user = null;
  }

  /** Is it its own weight alone that keeps it from more, so that nobody else can help? */
  get isFull(): boolean {
    return this.#bytes >= INFLIGHT_BYTES_PER_CONNECTION;
  }

  /** So much more, or less. */
  add(bytes: number): void {
    this.#bytes += bytes;
    if (this.#group) this.#group.bytes += bytes;
    this.#load.add(bytes);
  }

  /** So much lies here that is no whole request yet. */
  holds(bytes: number): void {
    const more = bytes - this.#inHand;
    this.#inHand = bytes;
    if (more !== 0) this.#load.add(more);
  }
}

/** The memory that these parts of a frame keep: a buffer may be longer than what was written into it. */
export function roomOf(parts: readonly Uint8Array[]): number {
  let bytes = 0;
  let last: ArrayBufferLike | null = null;
  for (const { buffer } of parts) {
    if (buffer !== last) bytes += buffer.byteLength;
    last = buffer;
  }
  return bytes;
}

const VERSIONS_BYTES = 2 * MANIFEST_BYTES + 2048;

/** What the reply to a request may weigh at most, before it is known; of those that are not named it is next to nothing. */
const REPLY_BYTES: Partial<Record<Kind, number>> = {
  hello: 2 * VERSIONS_BYTES,
  read: FRAME_BYTES,
  list: LIST_PAGE_BYTES,
  prepare: VERSIONS_BYTES,
  spaces: USERS_PAGE * (USER_BYTES + 2),
};
const SMALL_BYTES = 1024;

/** The same, for a request of this kind that asks for `length` bytes. */
export const replyBytes = (kind: Kind, length: number): number =>
  length + (REPLY_BYTES[kind] ?? SMALL_BYTES);
