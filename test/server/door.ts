/** A doorkeeper, users, and a clock that goes on only when a test says so. */
import type { Clock, Random } from "../../src/io/ports.ts";
import { Doorkeeper } from "../../src/server/access/doorkeeper.ts";
import { type KnownUser, Login, type UserTable } from "../../src/server/access/login.ts";
import {
  type Binding,
  type Credentials,
  credentialsOf,
  type Exchange,
  proofOf,
  provedBy,
  type Verifier,
  verifierOf,
} from "../../src/wire/login.ts";
import { scramVerifierOf } from "../../src/wire/scram.ts";

/** Time that goes on only when the test says so. */
export class Hand implements Clock {
  #now = 0;
  #timers: { at: number; fn: () => void }[] = [];
  now = (): number => this.#now;
  wall = (): number => this.#now;
  after(ms: number, fn: () => void): () => void {
    const timer = { at: this.#now + ms, fn };
    this.#timers.push(timer);
    return () => void (this.#timers = this.#timers.filter((other) => other !== timer));
  }
  /** How long until each of those that wait may go on, the last to come last. */
  get waits(): number[] {
    return this.#timers.map(({ at }) => at - this.#now);
  }
  async pass(ms: number): Promise<void> {
    this.#now += ms;
    const due = this.#timers.filter(({ at }) => at <= this.#now);
    this.#timers = this.#timers.filter(({ at }) => at > this.#now);
    for (const { fn } of due) fn();
    await settled();
  }
}

/** Until everything that waits for no timer has happened. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Bytes that differ each time. */
function countingRandom(): Random {
  let count = 0;
  return {
    fraction: () => 0,
    bytes: (n) => Uint8Array.from({ length: n }, (_, i) => (i === 0 ? ++count : i)),
  };
}

export const alice = credentialsOf("Alice", "right");
export const wrong = credentialsOf("Alice", "wrong");
export const nobody = credentialsOf("Nobody", "right");
export const bob = credentialsOf("Bob", "right");
const SID = "5".repeat(32);
/** Alice is known by a verifier of the newer kind, Bob by one of the older. */
export const table: UserTable = new Map<string, KnownUser>([
  ["Alice", { verifier: verifierOf("Alice", "right"), isOperator: true }],
  ["Bob", { verifier: scramVerifierOf("Bob", "right"), isOperator: false }],
]);

export function newDoor(): { clock: Hand; door: Doorkeeper; connect: (peer?: string) => Login } {
  const clock = new Hand();
  const door = new Doorkeeper({ clock, random: countingRandom() });
  return { clock, door, connect: (peer = "10.0.0.1:5000") => new Login(door, peer, () => {}) };
}

/** Begins a login; resolves to what both have said then. */
export function begin(
  login: Login,
  { user }: Credentials = alice,
  binding: Binding = null,
  users = table,
): Exchange {
  const said = { user, clientNonce: new Uint8Array(32).fill(3), sid: SID, binding };
  return { ...said, serverNonce: login.begin(said, users) };
}

/** Logs in; resolves to how the server has proved itself too. */
export async function logIn(
  login: Login,
  credentials = alice,
  { binding = null, users = table }: { binding?: Binding; users?: UserTable } = {},
): Promise<Verifier["is"] | null> {
  const exchange = begin(login, credentials, binding, users);
  const proof = proofOf(credentials, exchange, true);
  return provedBy(credentials, exchange, proof, await login.final(proof));
}
