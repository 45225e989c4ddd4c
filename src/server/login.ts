/**
 * Who may log in. A user that the server does not know is treated as one whose password is wrong: the same messages,
 * the same work, the same delay. Failures are made to wait, longer each time, so that guessing takes for ever.
 */
import { DfsError, INVALID_LOGIN } from "../errors.ts";
import type { Clock, Random } from "../io/ports.ts";
import {
  LOGIN_ATTEMPTS_PER_CONNECTION,
  LOGIN_DELAY_FIRST_MS,
  LOGIN_DELAY_MAX_MS,
  LOGIN_FAILURES_FREE,
  LOGIN_FAILURES_KEPT,
  LOGIN_FORGET_MS,
  LOGIN_NONCE_BYTES,
  LOGIN_WAITING_PER_HOST,
} from "../limits.ts";
import {
  answerTo,
  type Exchange,
  impossibleVerifiers,
  type Proof,
  type Verifier,
} from "../wire/login.ts";

export interface KnownUser {
  readonly verifier: Verifier;
  readonly isOperator: boolean;
}

export type UserTable = ReadonlyMap<string, KnownUser>;

const SECRET_BYTES = 32;

interface Failures {
  readonly count: number;
  readonly at: number;
}

/** One a server: counts the failures of each user from each host, and has them wait. */
export class Doorkeeper {
  readonly #clock: Clock;
  readonly #random: Random;
  /** What the verifiers of unknown users are made from. */
  readonly #secret: Uint8Array;
  /** The oldest first. */
  readonly #failures = new Map<string, Failures>();
  readonly #waiting = new Map<string, number>();

  constructor({ clock, random }: { readonly clock: Clock; readonly random: Random }) {
    this.#clock = clock;
    this.#random = random;
    this.#secret = random.bytes(SECRET_BYTES);
  }

  /** A nonce for one login. */
  nonce(): Uint8Array {
    return this.#random.bytes(LOGIN_NONCE_BYTES);
  }

  /** What stands in for the verifiers that a user does not have; one who is not known has none. */
  standIns(user: string): ReturnType<typeof impossibleVerifiers> {
    return impossibleVerifiers(user, this.#secret);
  }

  /**
   * Throws DfsError("login") while so many failures of this host wait that no more of its proofs are looked at: to
   * look, and to tell only who is right, would let it guess as fast as it likes.
   */
  admit(host: string): void {
    if ((this.#waiting.get(host) ?? 0) < LOGIN_WAITING_PER_HOST) return;
    throw new DfsError(
      "login",
      `too many logins from ${host} have failed just now; try again in ${LOGIN_DELAY_MAX_MS / 1000} seconds`,
    );
  }

  /** Counts one more failure, and resolves when it may be told. */
  async failed(host: string, user: string): Promise<void> {
    const ms = delayOf(this.#count(keyOf(host, user)));
    if (ms === 0) return;
    this.#waiting.set(host, (this.#waiting.get(host) ?? 0) + 1);
    await new Promise<void>((resolve) => void this.#clock.after(ms, resolve));
    const left = (this.#waiting.get(host) ?? 0) - 1;
    if (left > 0) this.#waiting.set(host, left);
    else this.#waiting.delete(host);
  }

  /** Forgets the failures of a user who has logged in. */
  succeeded(host: string, user: string): void {
    this.#failures.delete(keyOf(host, user));
  }

  #count(key: string): number {
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
    return count;
  }
}

const keyOf = (host: string, user: string): string => `${host}\0${user}`;

/** How long the reply to the nth failure waits. */
function delayOf(count: number): number {
  const doublings = count - LOGIN_FAILURES_FREE - 1;
  return doublings < 0 ? 0 : Math.min(LOGIN_DELAY_MAX_MS, LOGIN_DELAY_FIRST_MS * 2 ** doublings);
}

/** A login that has begun. */
interface Begun {
  readonly exchange: Exchange;
  /** null: nobody that this server knows. */
  readonly known: KnownUser | null;
}

/** One a connection: who is at its other end. */
export class Login {
  readonly #doorkeeper: Doorkeeper;
  readonly #host: string;
  #begun: Begun | null = null;
  #isChecking = false;
  #attempts = 0;
  #user: string | null = null;
  #isOperator = false;

  /** `peer` is whom the connection says it is, as "127.0.0.1:10001". */
  constructor(doorkeeper: Doorkeeper, peer: string) {
    this.#doorkeeper = doorkeeper;
    this.#host = peer.replace(/:\d+$/, "");
  }

  /** Who has logged in; null: nobody yet. */
  get user(): string | null {
    return this.#user;
  }

  /** May this user also do what concerns all users? */
  get isOperator(): boolean {
    return this.#isOperator;
  }

  /** Begins a login, for the users there are now: all that the server says is a nonce. */
  begin(said: Omit<Exchange, "serverNonce">, table: UserTable): Uint8Array {
    if (this.#user !== null) throw outOfTurn("this connection is logged in already");
    if (this.#isChecking) throw outOfTurn("the login before is not answered yet");
    if (++this.#attempts > LOGIN_ATTEMPTS_PER_CONNECTION)
      throw outOfTurn("this connection has tried often enough; open another");
    const exchange = { ...said, serverNonce: this.#doorkeeper.nonce() };
    this.#begun = { exchange, known: table.get(said.user) ?? null };
    return exchange.serverNonce;
  }

  /** Answers a client's proof with the server's; throws DfsError("login") with the line for the user where it is none. */
  async final(proof: Proof): Promise<Uint8Array> {
    const begun = this.#begun;
    if (begun === null) throw outOfTurn("no login has begun");
    this.#begun = null;
    this.#doorkeeper.admit(this.#host);
    const { exchange, known } = begun;
    const { user } = exchange;
    const standIns = this.#doorkeeper.standIns(user);
    const reply = answerTo(proof, exchange, known?.verifier ?? null, standIns);
    if (reply === null || known === null) {
      this.#isChecking = true;
      await this.#doorkeeper.failed(this.#host, user);
      this.#isChecking = false;
      throw new DfsError("login", INVALID_LOGIN);
    }
    this.#doorkeeper.succeeded(this.#host, user);
    this.#user = user;
    this.#isOperator = known.isOperator;
    return reply;
  }
}

const outOfTurn = (why: string): DfsError =>
  new DfsError("protocol", `a login out of turn: ${why}`);
