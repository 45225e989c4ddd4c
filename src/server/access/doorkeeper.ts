/**
 * Slows down guessing of passwords. The replies to failed logins wait, longer each time; and while
 * many such replies wait, other proofs are checked one after the other. A user who knows the
 * password never waits for their own failures, and gets a turn in any flood of wrong proofs. Used
 * by login.ts and session.ts.
 */
import { DfsError } from "../../errors.ts";
import type { Clock, Random } from "../../io/ports.ts";
import { LOGIN_NONCE_BYTES } from "../../limits.ts";
import {
  LOGIN_DELAY_FIRST_MS,
  LOGIN_DELAY_MAX_MS,
  LOGIN_DELAY_MAX_OF_USER_MS,
  LOGIN_FAILURES_FREE,
  LOGIN_FAILURES_FREE_OF_USER,
  LOGIN_FAILURES_KEPT,
  LOGIN_FORGET_MS,
  LOGIN_LOOK_MS,
  LOGIN_QUEUE,
  LOGIN_WAITING,
  LOGIN_WAITING_OF_USER,
  PASSWD_MS,
  PASSWD_WAIT_MS,
} from "./login_limits.ts";
import { impossibleVerifiers } from "../../wire/login.ts";

const SECRET_BYTES = 32;

/** One for each server. */
export class Doorkeeper {
  readonly #clock: Clock;
  readonly #random: Random;
  /** From this the verifiers of unknown users are made. */
  readonly #secret: Uint8Array;
  readonly #fromHost: Failures;
  readonly #ofUser: Failures;
  /** When the password of a user may be changed next. */
  readonly #passwords = new Map<string, number>();

  constructor({ clock, random }: { readonly clock: Clock; readonly random: Random }) {
    this.#clock = clock;
    this.#random = random;
    this.#secret = random.bytes(SECRET_BYTES);
    this.#fromHost = new Failures(clock, LOGIN_FAILURES_FREE, LOGIN_DELAY_MAX_MS, LOGIN_WAITING);
    this.#ofUser = new Failures(
      clock,
      LOGIN_FAILURES_FREE_OF_USER,
      LOGIN_DELAY_MAX_OF_USER_MS,
      LOGIN_WAITING_OF_USER,
    );
  }

  /** A nonce for one login. */
  nonce(): Uint8Array {
    return this.#random.bytes(LOGIN_NONCE_BYTES);
  }

  /** The verifiers that stand in where a user has none. An unknown user has none at all. */
  standIns(user: string): ReturnType<typeof impossibleVerifiers> {
    return impossibleVerifiers(user, this.#secret);
  }

  /**
   * Resolves when a proof of this user from this host may be checked. It is checked at once, or,
   * while many failures wait, in its turn: else an attacker could guess at full speed, since only
   * right guesses are answered without delay. Throws DfsError("login") if too many wait for their
   * turn; those for which `isGone` returns true do not count.
   */
  async admit(host: string, user: string, isGone: () => boolean): Promise<void> {
    await this.#fromHost.turn(keyOf(host, user), isGone);
    await this.#ofUser.turn(user, isGone);
  }

  /** Counts one more failure, and resolves when the reply may be sent. */
  async failed(host: string, user: string): Promise<void> {
    const ms = Math.max(this.#fromHost.count(keyOf(host, user)), this.#ofUser.count(user));
    if (ms === 0) return;
    const ends = [this.#fromHost.begin(keyOf(host, user)), this.#ofUser.begin(user)];
    await new Promise<void>((resolve) => void this.#clock.after(ms, resolve));
    for (const end of ends) end();
  }

  /**
   * Forgets the failures of a user who has logged in from this host. Those from other hosts may be
   * somebody else's.
   */
  succeeded(host: string, user: string): void {
    this.#fromHost.forget(keyOf(host, user));
  }

  /**
   * Resolves when this user's password may be changed again. Throws DfsError("conflict") if that
   * would take long.
   */
  async mayChange(user: string): Promise<void> {
    const now = this.#clock.now();
    const at = Math.max(now, this.#passwords.get(user) ?? 0);
    if (at - now > PASSWD_WAIT_MS)
      throw new DfsError("conflict", `the password of ${user} is being changed too often; wait`);
    // Times in the past no longer matter.
    for (const [other, next] of this.#passwords) if (next <= now) this.#passwords.delete(other);
    this.#passwords.set(user, at + PASSWD_MS);
    if (at > now) await new Promise<void>((resolve) => void this.#clock.after(at - now, resolve));
  }
}

const keyOf = (host: string, user: string): string => `${host}\0${user}`;

interface Failure {
  readonly count: number;
  readonly at: number;
}

/** A proof that waits to be checked. */
interface Waiting {
  readonly isGone: () => boolean;
  readonly go: () => void;
}

/** Counts failures by a key: a user, or a user and a host. */
class Failures {
  readonly #clock: Clock;
  readonly #free: number;
  readonly #delayMaxMs: number;
  readonly #waitingMax: number;
  /** In order of their last failure, the oldest first. */
  readonly #failures = new Map<string, Failure>();
  /** How many replies to failures wait, by key. */
  readonly #untold = new Map<string, number>();
  readonly #queues = new Map<string, Waiting[]>();

  constructor(clock: Clock, free: number, delayMaxMs: number, waitingMax: number) {
    this.#clock = clock;
    this.#free = free;
    this.#delayMaxMs = delayMaxMs;
    this.#waitingMax = waitingMax;
  }

  /** Counts one more failure, and returns how long its reply waits, in ms. */
  count(key: string): number {
    const now = this.#clock.now();
    const before = this.#failures.get(key);
    const isRecent = before !== undefined && now - before.at < LOGIN_FORGET_MS;
    const count = isRecent ? before.count + 1 : 1;
    this.#failures.delete(key);
    this.#failures.set(key, { count, at: now });
    for (const [oldest, { at }] of this.#failures) {
      if (this.#failures.size <= LOGIN_FAILURES_KEPT && now - at < LOGIN_FORGET_MS) break;
      this.#failures.delete(oldest);
    }
    const doublings = count - this.#free - 1;
    return doublings < 0 ? 0 : Math.min(this.#delayMaxMs, LOGIN_DELAY_FIRST_MS * 2 ** doublings);
  }

  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** Notes that one more reply waits; the returned function notes that it was sent. */
  begin(key: string): () => void {
    this.#untold.set(key, (this.#untold.get(key) ?? 0) + 1);
    return () => {
      const left = (this.#untold.get(key) ?? 0) - 1;
      if (left > 0) this.#untold.set(key, left);
      else this.#untold.delete(key);
    };
  }

  /** Resolves when one more proof may be checked. */
  turn(key: string, isGone: () => boolean): Promise<void> {
    const queue = this.#queues.get(key);
    if (!queue && (this.#untold.get(key) ?? 0) < this.#waitingMax) return Promise.resolve();
    const present = (queue ?? []).filter((waiting) => !waiting.isGone());
    if (present.length >= LOGIN_QUEUE)
      return Promise.reject(
        new DfsError("login", "too many logins have failed just now; try again in a while"),
      );
    return new Promise((resolve) => {
      this.#queues.set(key, [...present, { isGone, go: resolve }]);
      if (!queue) this.#next(key);
    });
  }

  /** Lets one proof after the other pass, in the order in which they came, until none waits. */
  #next(key: string): void {
    this.#clock.after(LOGIN_LOOK_MS, () => {
      const present = (this.#queues.get(key) ?? []).filter((waiting) => !waiting.isGone());
      present.shift()?.go();
      if (present.length === 0) this.#queues.delete(key);
      else {
        this.#queues.set(key, present);
        this.#next(key);
      }
    });
  }
}
