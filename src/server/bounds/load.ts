/**
 * The memory that a server holds for its peers: requests until they are answered, and replies until
 * they are taken. It is counted for each connection, for each user, and for the whole server; these
 * numbers decide who may begin one more request. Used by session.ts and serve.ts.
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

/** A connection, as the load of the whole server sees it. */
interface LoadedPeer {
  /** Bytes that are held for it. */
  readonly held: number;
  /**
   * Since when it has not taken a whole reply that waits, or not finished a frame that it began.
   * null: neither.
   */
  readonly stalledSince: number | null;
  close(): void;
}

/** What is held for all connections of one user. */
interface Group {
  bytes: number;
  members: number;
}

/** What is held for all connections of a server. */
export class ServerLoad {
  bytes = 0;
  /** Bytes of all requests and replies so far. */
  total = 0;
  readonly #peers = new Set<LoadedPeer>();
  readonly #waiting = new Set<() => void>();
  readonly #groups = new Map<string, Group>();
  #relievedAt = 0;

  /**
   * May a connection begin one more request? `bytes` is held for it, and `ofUser` for all
   * connections of its user. A connection may hold a part of what is free, and a user no more than
   * all of it, so that there mostly is room for others. A connection that holds nothing may begin
   * one while there is any room.
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

  /** Removes one member. */
  leaveGroup(user: string): void {
    const group = this.#groups.get(user);
    if (group && --group.members === 0) this.#groups.delete(user);
  }

  /** Is far more held than should be? */
  get isOver(): boolean {
    return this.bytes >= 2 * INFLIGHT_BYTES_MAX;
  }

  join(peer: LoadedPeer): void {
    this.#peers.add(peer);
  }

  leave(peer: LoadedPeer): void {
    this.#peers.delete(peer);
  }

  /**
   * If nobody may begin anything any more, closes the connections that have stalled for longest,
   * among those that have had their time. If far too much is held, closes stalled connections
   * without giving them that time.
   */
  relieve(now: number): void {
    const wanted = this.bytes - INFLIGHT_BYTES_MAX + FRAME_BYTES;
    // All waiting connections ask for it.
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

  /** Calls `wake` when there may be room. The returned function cancels that. */
  waitForRoom(clock: Clock, wake: () => void): () => void {
    this.relieve(clock.now());
    this.#waiting.add(wake);
    const cancel = clock.after(ROOM_POLL_MS, wake);
    return () => {
      cancel();
      this.#waiting.delete(wake);
    };
  }

  /** Adds `bytes`, which may be negative. */
  add(bytes: number): void {
    this.bytes += bytes;
    if (bytes >= 0) return;
    // The first to wait goes first. If there still is no room for it, it waits again.
    const [first] = this.#waiting;
    if (!first) return;
    this.#waiting.delete(first);
    first();
  }
}

/** What is held for one connection. */
export class ConnectionLoad {
  readonly #load: ServerLoad;
  /** Bytes of requests, and of their replies until they are taken. */
  #bytes = 0;
  /** Bytes that have come and do not make a whole request yet. */
  #partial = 0;
  #group: Group | null = null;
  #user: string | null = null;

  constructor(load: ServerLoad) {
    this.#load = load;
  }

  /** Bytes that are held for it. */
  get held(): number {
    return this.#bytes + this.#partial;
  }

  /** May it begin one more request? A connection with none may, while there is any room at all. */
  get hasRoom(): boolean {
    const ofUser = this.#group?.bytes ?? 0;
    return !this.isFull && this.#load.hasRoomFor(this.#bytes, ofUser);
  }

  /** The connection is this user's from now on. */
  setUser(user: string): void {
    this.leave();
    this.#user = user;
    this.#group = this.#load.groupOf(user);
    this.#group.bytes += this.#bytes;
  }

  /** The connection has ended. What is held for it yet is given back later. */
  leave(): void {
    this.setPartial(0);
    if (this.#user !== null) this.#load.leaveGroup(this.#user);
    this.#user = null;
  }

  /** Is its own load alone too high for more? Then no other connection can help. */
  get isFull(): boolean {
    return this.#bytes >= INFLIGHT_BYTES_PER_CONNECTION;
  }

  /** Adds `bytes`, which may be negative. */
  add(bytes: number): void {
    this.#bytes += bytes;
    if (this.#group) this.#group.bytes += bytes;
    this.#load.add(bytes);
  }

  /** Sets how many bytes have come that do not make a whole request yet. */
  setPartial(bytes: number): void {
    const more = bytes - this.#partial;
    this.#partial = bytes;
    if (more !== 0) this.#load.add(more);
  }
}

/**
 * The memory that the parts of a frame keep: a buffer may be longer than what was written into it.
 */
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

/**
 * The most that a reply may take, before it is known, by the kind of its request. Other kinds have
 * small replies.
 */
const REPLY_BYTES: Partial<Record<Kind, number>> = {
  hello: 2 * VERSIONS_BYTES,
  read: FRAME_BYTES,
  list: LIST_PAGE_BYTES,
  prepare: VERSIONS_BYTES,
  spaces: USERS_PAGE * (USER_BYTES + 2),
};
const SMALL_BYTES = 1024;

/** The most that the reply to a request may take, which asks for `length` bytes. */
export const replyBytes = (kind: Kind, length: number): number =>
  length + (REPLY_BYTES[kind] ?? SMALL_BYTES);
