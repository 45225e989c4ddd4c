/** What a server learns from a login, of which it sees all, and of its verifiers: nothing that would do for another login, there or elsewhere. */
import { describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { bunClock, bunRandom } from "../../src/io/bun.ts";
import { Doorkeeper } from "../../src/server/access/doorkeeper.ts";
import { type KnownUser, Login, type UserTable } from "../../src/server/access/login.ts";
import {
  credentialsOf,
  type Proof,
  proofOf,
  verifierOf,
  signedBytesOf,
} from "../../src/wire/login.ts";
import { scramVerifierOf } from "../../src/wire/scram.ts";
import { rejectionOf } from "../harness/thrown.ts";

const alice = credentialsOf("Alice", "right");
const wrong = credentialsOf("Alice", "wrong");
const table: UserTable = new Map<string, KnownUser>([
  ["Alice", { verifier: verifierOf("Alice", "right"), isOperator: true }],
]);

describe("what a server has seen of a login", () => {
  const one = "1".repeat(32);
  const another = "3".repeat(32);
  /** The connection of somebody to the server `sid`, and what they have said there so far. */
  const at = (sid: string) => {
    const door = new Doorkeeper({ clock: bunClock, random: bunRandom });
    const login = new Login(door, "10.0.0.1:5000", () => {});
    const said = { user: "Alice", clientNonce: new Uint8Array(32).fill(3), sid, binding: null };
    return { login, exchange: { ...said, serverNonce: login.begin(said, table) } };
  };

  test("does not do at another one, nor does what it keeps", async () => {
    // Alice logs in at server 3, which sees all of it, and knows her verifier.
    const there = at(another);
    const seen = proofOf(alice, there.exchange, true);
    await there.login.final(seen);
    const { publicKey, serverKey } = alice.signing;
    const guesses: Proof[] = [
      seen,
      ...[publicKey, serverKey, seen.signature.slice(0, 32), seen.scram ?? publicKey].flatMap(
        (seed) => {
          const keys = { ...alice, signing: { ...alice.signing, seed } };
          return [proofOf(keys, there.exchange, true), proofOf(keys, at(one).exchange, true)];
        },
      ),
    ];
    for (const proof of guesses) {
      const { login } = at(one);
      await rejectionOf("login", login.final(proof));
      expect(login.user).toBeNull();
    }
  });

  test("does not do with what an older verifier would give away either", async () => {
    const there = at(another);
    const seen = proofOf(alice, there.exchange, true);
    // It still has the older verifier of the same password, and works ClientKey out as RFC 5802 has it (section 9).
    const older = scramVerifierOf("Alice", "right");
    const said = signedBytesOf(there.exchange);
    const masked = new Uint8Array(createHmac("sha256", older.storedKey).update(said).digest());
    const clientKey = (seen.scram ?? masked).map((byte, i) => byte ^ (masked[i] ?? 0));
    expect(clientKey.toHex()).toBe(alice.scram().clientKey.toHex());
    const thief = { ...wrong, scram: () => ({ ...older, clientKey }) };
    const here = at(one);
    await rejectionOf("login", here.login.final(proofOf(thief, here.exchange, true)));
  });
});
