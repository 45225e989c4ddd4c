import { describe, expect, test } from "bun:test";
import { INVALID_LOGIN } from "../../src/errors.ts";
import { LOGIN_ATTEMPTS_PER_CONNECTION, LOGIN_DELAY_MAX_MS } from "../../src/limits.ts";
import { clientFinal, clientFirst, credentialsOf } from "../../src/wire/scram.ts";
import { rejectionOf } from "../thrown.ts";
import { alice, bob, logIn, newDoor, nobody, settled, table, wrong } from "./door.ts";

describe("a login", () => {
  test.each([
    ["Alice", alice, true],
    ["Bob", bob, false],
  ])("of %s is by the password, bound to TLS or not", async (user, credentials, isOperator) => {
    for (const binding of [null, new Uint8Array(32)]) {
      const login = newDoor().connect();
      expect([login.user, login.isOperator]).toEqual([null, false]);
      expect(await logIn(login, credentials, { binding })).toBe(true);
      expect([login.user, login.isOperator]).toEqual([user, isOperator]);
    }
  });

  test("with another password fails with the line that users know", async () => {
    const login = newDoor().connect();
    expect((await rejectionOf("login", logIn(login, wrong))).message).toBe(INVALID_LOGIN);
    expect([login.user, login.isOperator]).toEqual([null, false]);
    expect(await logIn(login)).toBe(true);
  });

  test("without its binding, or out of turn, is refused", async () => {
    const login = newDoor().connect();
    const begun = clientFirst(alice, "clientNonce", null);
    await rejectionOf("protocol", login.final("c=biws,r=x,p=x"));
    await rejectionOf("protocol", login.first(begun.message, table, new Uint8Array(32)));
    const proof = clientFinal(begun.state, await login.first(begun.message, table, null));
    await login.final(proof.message);
    await rejectionOf("protocol", login.final(proof.message));
    await rejectionOf("protocol", login.first(begun.message, table, null));
    expect(login.user).toBe("Alice");
  });

  test("cannot go on after a failure, nor while it waits", async () => {
    const { clock, connect } = newDoor();
    for (let i = 0; i < 2; i++) await rejectionOf("login", logIn(connect(), wrong));
    const login = connect();
    const begun = clientFirst(wrong, "clientNonce", null);
    const proof = clientFinal(begun.state, await login.first(begun.message, table, null));
    const waiting = rejectionOf("login", login.final(proof.message));
    await settled();
    await rejectionOf("protocol", login.final(proof.message));
    await rejectionOf("protocol", login.first(begun.message, table, null));
    await clock.pass(100);
    await waiting;
    await rejectionOf("protocol", login.final(proof.message));
  });

  test("may be tried only so often on a connection", async () => {
    const login = newDoor().connect();
    const { message } = clientFirst(alice, "clientNonce", null);
    for (let i = 0; i < LOGIN_ATTEMPTS_PER_CONNECTION; i++) await login.first(message, table, null);
    await rejectionOf("protocol", login.first(message, table, null));
  });
});

test("a user that is not known cannot be told from one with a wrong password", async () => {
  const seen = await Promise.all(
    [nobody, credentialsOf("Bob", "wrong")].map(async (credentials) => {
      const { clock, connect } = newDoor();
      const out: unknown[] = [];
      for (let i = 0; i < 4; i++) {
        const login = connect();
        const begun = clientFirst(credentials, "clientNonce", null);
        const challenge = await login.first(begun.message, table, null);
        const proof = clientFinal(begun.state, challenge);
        const failure = rejectionOf("login", login.final(proof.message));
        await settled();
        const [nonce, , iterations] = challenge.split(",");
        out.push(nonce, iterations, challenge.length, clock.waits);
        await clock.pass(LOGIN_DELAY_MAX_MS);
        out.push((await failure).message);
      }
      return out;
    }),
  );
  expect(seen[0]).toEqual(seen[1]);
  const { connect } = newDoor();
  const salts = [connect(), connect()].map(async (login) => {
    const { message } = clientFirst(nobody, "clientNonce", null);
    return (await login.first(message, table, null)).split(",")[1];
  });
  expect(await salts[0]).toBe(await salts[1]);
});
