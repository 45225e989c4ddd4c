/**
 * Who may log in. A user that the server does not know is treated as one whose password is wrong: the same messages,
 * the same work, the same delay (doorkeeper).
 */
import { DfsError, INVALID_LOGIN, isDfsError } from "../../errors.ts";
import type { Tell } from "../../io/ports.ts";
import { LOGIN_ATTEMPTS_PER_CONNECTION } from "../../limits.ts";
import type { Doorkeeper } from "./doorkeeper.ts";
import { hostOf } from "./host.ts";
import { loginFailed } from "./tidings.ts";
import { answerTo, type Exchange, type Proof, type Verifier } from "../../wire/login.ts";

export interface KnownUser {
  readonly verifier: Verifier;
  readonly isOperator: boolean;
}

export type UserTable = ReadonlyMap<string, KnownUser>;

/** A login that has begun. */
interface Begun {
  readonly exchange: Exchange;
  /** null: nobody that this server knows. */
  readonly known: KnownUser | null;
}

/** One a connection: who is at its other end. */
export class Login {
  readonly #doorkeeper: Doorkeeper;
  readonly #peer: string;
  readonly #host: string;
  readonly #tell: Tell;
  #begun: Begun | null = null;
  #isChecking = false;
  /** Is nobody there any more to be let in? */
  #isGone = false;
  #attempts = 0;
  #user: string | null = null;
  #isOperator = false;

  /** `peer` is whom the connection says it is, as "127.0.0.1:10001". */
  constructor(doorkeeper: Doorkeeper, peer: string, tell: Tell) {
    this.#doorkeeper = doorkeeper;
    this.#peer = peer;
    this.#tell = tell;
    this.#host = hostOf(peer);
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
    this.#isChecking = true;
    try {
      return await this.#check(begun, proof);
    } catch (error) {
      if (isDfsError(error, "login") && !this.#isGone) {
        const user = begun.known && begun.exchange.user;
        this.#tell(loginFailed(user, this.#peer, error.message === INVALID_LOGIN));
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

  /** The connection is over: whoever waits for its turn need not wait for this one. */
  leave(): void {
    this.#isGone = true;
  }
}

const outOfTurn = (why: string): DfsError =>
  new DfsError("protocol", `a login out of turn: ${why}`);
