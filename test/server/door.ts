/** A doorkeeper, users, and a clock that goes on only when a test says so. */
import type { Clock, Random } from "../../src/io/ports.ts";
import { Doorkeeper } from "../../src/server/doorkeeper.ts";
import { Login, type UserTable } from "../../src/server/login.ts";
import {
  type Binding,
  checkServerFinal,
  clientFinal,
  clientFirst,
  credentialsOf,
} from "../../src/wire/scram.ts";

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
export const table: UserTable = new Map([
  ["Alice", { verifier: alice, isOperator: true }],
  ["Bob", { verifier: bob, isOperator: false }],
]);

export function newDoor(): { clock: Hand; door: Doorkeeper; connect: (peer?: string) => Login } {
  const clock = new Hand();
  const door = new Doorkeeper({ clock, random: countingRandom() });
  return { clock, door, connect: (peer = "10.0.0.1:5000") => new Login(door, peer) };
}

/** Logs in; resolves to whether the server has proved itself too. */
export async function logIn(
  login: Login,
  credentials = alice,
  { binding = null, users = table }: { binding?: Binding; users?: UserTable } = {},
): Promise<boolean> {
  const begun = clientFirst(credentials, "clientNonce", binding);
  const challenge = await login.first(begun.message, users, binding);
  const proof = clientFinal(begun.state, challenge);
  return checkServerFinal(proof.state, await login.final(proof.message));
}
