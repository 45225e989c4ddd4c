/**
 * The login of one connection. An unknown user is treated like a known one with a wrong password:
 * the same messages, the same work, the same delay (doorkeeper.ts). Used by session.ts.
 */
import { DfsError, INVALID_LOGIN, isDfsError } from "../../errors.ts";
import type { Notify } from "../../io/ports.ts";
import { LOGIN_ATTEMPTS_PER_CONNECTION } from "./login_limits.ts";
import type { Doorkeeper } from "./doorkeeper.ts";
import { hostOf } from "./host.ts";
import { loginFailed } from "./notices.ts";
import { answerTo, type Exchange, type Proof, type Verifier } from "../../wire/login.ts";

export interface KnownUser {
  readonly verifier: Verifier;
  readonly isOperator: boolean;
}

export type UserTable = ReadonlyMap<string, KnownUser>;

/** A login that has begun. */
interface Begun {
  readonly exchange: Exchange;
  /** null: the server does not know this user. */
  readonly known: KnownUser | null;
}

/** One for each connection: finds out which user is at its other end. */
export class Login {
  readonly #doorkeeper: Doorkeeper;
  readonly #peer: string;
  readonly #host: string;
  readonly #notify: Notify;
  #begun: Begun | null = null;
  #isChecking = false;
  /** Has the connection ended, so that nobody waits for the reply? */
  #isGone = false;
  #attempts = 0;
  #user: string | null = null;
  #isOperator = false;

  /** `peer` is the address that the connection tells, such as "127.0.0.1:10001". */
  constructor(doorkeeper: Doorkeeper, peer: string, notify: Notify) {
    this.#doorkeeper = doorkeeper;
    this.#peer = peer;
    this.#notify = notify;
    this.#host = hostOf(peer);
  }

  /** The user who has logged in; null before that. */
  get user(): string | null {
    return this.#user;
  }

  /** Is this user an operator? */
  get isOperator(): boolean {
    return this.#isOperator;
  }

  /** Begins a login, with the users of this moment. The server reveals only a nonce. */
  begin(opening: Omit<Exchange, "serverNonce">, table: UserTable): Uint8Array {
    if (this.#user !== null) throw outOfTurn("this connection is logged in already");
    if (this.#isChecking) throw outOfTurn("the login before is not answered yet");
    if (++this.#attempts > LOGIN_ATTEMPTS_PER_CONNECTION)
      throw outOfTurn("this connection has tried often enough; open another");
    const exchange = { ...opening, serverNonce: this.#doorkeeper.nonce() };
    this.#begun = { exchange, known: table.get(opening.user) ?? null };
    return exchange.serverNonce;
  }

  /**
   * Answers a client's proof with the server's. Throws DfsError("login") with the line for the user
   * if the proof is wrong.
   */
  async final(proof: Proof): Promise<Uint8Array> {
    const begun = this.#begun;
    if (begun === null) throw outOfTurn("no login has begun");
    this.#begun = null;
    this.#isChecking = true;
    try {
      return await this.#check(begun, proof);
    } catch (error) {
      if (isDfsError(error, "login") && !this.#isGone) {
        const user = begun.known && begun.exchange.user;
        this.#notify(loginFailed(user, this.#peer, error.message === INVALID_LOGIN));
      }
      throw error;
    } finally {
      this.#isChecking = false;
    }
  }

  async #check({ exchange, known }: Begun, proof: Proof): Promise<Uint8Array> {
    const { user } = exchange;
    await this.#doorkeeper.admit(this.#host, user, () => this.#isGone);
    const standIns = this.#doorkeeper.standIns(user);
    const reply = answerTo(proof, exchange, known?.verifier ?? null, standIns);
    if (reply === null || known === null) {
      await this.#doorkeeper.failed(this.#host, user);
      throw new DfsError("login", INVALID_LOGIN);
    }
    this.#doorkeeper.succeeded(this.#host, user);
    this.#user = user;
    this.#isOperator = known.isOperator;
    return reply;
  }

  /** Notes that the connection has ended: others need not wait for its turn. */
  leave(): void {
    this.#isGone = true;
  }
}

const outOfTurn = (why: string): DfsError =>
  new DfsError("protocol", `a login out of turn: ${why}`);
