import { describe, expect, test } from "bun:test";
import { INVALID_LOGIN } from "../../src/errors.ts";
import {
  LOGIN_ATTEMPTS_PER_CONNECTION,
  LOGIN_DELAY_MAX_MS,
} from "../../src/server/access/login_limits.ts";
import { credentialsOf, type Proof, proofOf } from "../../src/wire/login.ts";
import { errorOf, rejectionOf } from "../harness/thrown.ts";
import { alice, begin, bob, logIn, newDoor, nobody, settled, wrong } from "./door.ts";

const NO_PROOF: Proof = { signature: new Uint8Array(64), scram: new Uint8Array(32) };

describe("a login", () => {
  test.each([
    ["Alice", "signature", alice, true],
    ["Bob", "scram", bob, false],
  ] as const)("of %s is by %s, bound to TLS or not", async (user, is, credentials, isOperator) => {
    for (const binding of [null, new Uint8Array(32)]) {
      const login = newDoor().connect();
      expect([login.user, login.isOperator]).toEqual([null, false]);
      expect(await logIn(login, credentials, { binding })).toBe(is);
      expect([login.user, login.isOperator]).toEqual([user, isOperator]);
    }
  });

  test("with another password fails with the line that users know", async () => {
    const login = newDoor().connect();
    expect((await rejectionOf("login", logIn(login, wrong))).message).toBe(INVALID_LOGIN);
    expect([login.user, login.isOperator]).toEqual([null, false]);
    expect(await logIn(login)).toBe("signature");
  });

  test("without its binding is no login", async () => {
    const login = newDoor().connect();
    const exchange = begin(login, alice, new Uint8Array(32));
    const unbound = proofOf(alice, { ...exchange, binding: null }, true);
    await rejectionOf("login", login.final(unbound));
    expect(login.user).toBeNull();
  });

  test("out of turn is refused", async () => {
    const login = newDoor().connect();
    await rejectionOf("protocol", login.final(NO_PROOF));
    const proof = proofOf(alice, begin(login), true);
    await login.final(proof);
    await rejectionOf("protocol", login.final(proof));
    errorOf("protocol", () => begin(login));
    expect(login.user).toBe("Alice");
  });

  test("cannot go on after a failure, nor while it waits", async () => {
    const { clock, connect } = newDoor();
    for (let i = 0; i < 2; i++) await rejectionOf("login", logIn(connect(), wrong));
    const login = connect();
    const proof = proofOf(wrong, begin(login, wrong), true);
    const waiting = rejectionOf("login", login.final(proof));
    await settled();
    await rejectionOf("protocol", login.final(proof));
    errorOf("protocol", () => begin(login));
    await clock.pass(100);
    await waiting;
    await rejectionOf("protocol", login.final(proof));
  });

  test("may be tried only so often on a connection", () => {
    const login = newDoor().connect();
    for (let i = 0; i < LOGIN_ATTEMPTS_PER_CONNECTION; i++) begin(login);
    errorOf("protocol", () => begin(login));
  });
});

test("a user that is not known cannot be told from one with a wrong password, of either kind", async () => {
  const seen = await Promise.all(
    [nobody, wrong, credentialsOf("Bob", "wrong")].map(async (credentials) => {
      const { clock, connect } = newDoor();
      const out: unknown[] = [];
      for (let i = 0; i < 4; i++) {
        const login = connect();
        const exchange = begin(login, credentials);
        const failure = rejectionOf("login", login.final(proofOf(credentials, exchange, i < 3)));
        await settled();
        out.push(exchange.serverNonce, clock.waits);
        await clock.pass(LOGIN_DELAY_MAX_MS);
        out.push((await failure).message);
      }
      return out;
    }),
  );
  expect(seen[0]).toEqual(seen[1]);
  expect(seen[0]).toEqual(seen[2]);
});
