import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { isDfsError } from "../../src/errors.ts";
import { SCRAM_MESSAGE_BYTES } from "../../src/limits.ts";
import {
  type Binding,
  checkClientFinal,
  checkServerFinal,
  clientFinal,
  clientFirst,
  credentialsOf,
  derivationOf,
  impossibleVerifier,
  readClientFirst,
  serverFirst,
  verifierOf,
} from "../../src/wire/scram.ts";
import { forAll } from "../property.ts";
import { errorOf } from "../thrown.ts";

const BINDING = new Uint8Array(32).fill(7);
const alice = credentialsOf("Alice", "a login");

/** What may be done to a message on its way. */
type OnTheWay = (message: string, which: number) => string;
const asItIs: OnTheWay = (message) => message;

interface Sides {
  credentials?: typeof alice;
  verifier?: { storedKey: Uint8Array; serverKey: Uint8Array };
  ofClient?: Binding;
  ofServer?: Binding;
}

/** A login, its messages changed on the way; has it worked for both sides? Throws where one is malformed. */
function logIn(onTheWay: OnTheWay, sides: Sides = {}): { server: boolean; client: boolean } {
  const { credentials = alice, verifier = alice, ofClient = null, ofServer = null } = sides;
  const begun = clientFirst(credentials, "clientNonce", ofClient);
  const first = readClientFirst(onTheWay(begun.message, 0), ofServer);
  const challenge = serverFirst(first, "serverNonce");
  const proof = clientFinal(begun.state, onTheWay(challenge.message, 1));
  const final = checkClientFinal(challenge.state, verifier, onTheWay(proof.message, 2));
  if (final === null) return { server: false, client: false };
  return { server: true, client: checkServerFinal(proof.state, onTheWay(final, 3)) };
}

const BOTH = { server: true, client: true };
const NEITHER = { server: false, client: false };

test("the example of RFC 7677", () => {
  const salt = Uint8Array.fromBase64("W22ZaJ0SNY7soEsUEjb6gQ==");
  const user = credentialsOf("user", "pencil", { salt, iterations: 4096 });
  const begun = clientFirst(user, "rOprNGfwEbeRWgbNEkqO", null);
  expect(begun.message).toBe("n,,n=user,r=rOprNGfwEbeRWgbNEkqO");

  const first = readClientFirst(begun.message, null);
  const challenge = serverFirst(first, "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", user);
  expect(challenge.message).toBe(
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
  );

  const proof = clientFinal(begun.state, challenge.message);
  expect(proof.message).toBe(
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
  );

  const final = checkClientFinal(challenge.state, user, proof.message);
  expect(final).toBe("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
  expect(checkServerFinal(proof.state, final ?? "")).toBe(true);
});

test("what a server keeps is what it always was", () => {
  const { storedKey, serverKey } = verifierOf("Alice", "a login");
  expect([derivationOf("Alice").salt.toHex(), storedKey.toHex(), serverKey.toHex()]).toEqual([
    "172c2769247a5fe428b3414f8e87084c",
    "e6570ab4102db451ba7195e604ed728d35669a5be6e0d09d15a37fcf379203f6",
    "3a1868f6e25b3fefc3948fa0a40ade1f1b7eaa38468d5b0f7076b84a230bea99",
  ]);
});

describe("both sides prove themselves", () => {
  test.each([
    ["without TLS", null],
    ["over TLS", BINDING],
  ])("%s", (_, binding) => {
    expect(logIn(asItIs, { ofClient: binding, ofServer: binding })).toEqual(BOTH);
    const other = credentialsOf("Alice", "another login");
    expect(logIn(asItIs, { credentials: other, ofClient: binding, ofServer: binding })).toEqual(
      NEITHER,
    );
  });

  test("a server that knows only how to recognise the password's user, not its own key, is noticed", () => {
    const verifier = { storedKey: alice.storedKey, serverKey: new Uint8Array(32) };
    expect(logIn(asItIs, { verifier })).toEqual({ server: true, client: false });
  });

  test("a verifier is not enough to log in with", () => {
    const thief = { ...alice, clientKey: alice.storedKey };
    expect(logIn(asItIs, { credentials: thief })).toEqual(NEITHER);
  });

  test("nobody meets the verifier of a user that is not known", () => {
    const verifier = impossibleVerifier("Alice", new Uint8Array(32));
    expect(logIn(asItIs, { verifier })).toEqual(NEITHER);
  });

  test("whatever the name is", () => {
    const name = fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 });
    forAll(
      [name.filter((user) => !user.includes("\0"))],
      (user) => {
        const credentials = credentialsOf(user, "a login");
        expect(logIn(asItIs, { credentials, verifier: credentials })).toEqual(BOTH);
        const { message } = clientFirst(credentials, "nonce", null);
        expect(readClientFirst(message, null).user).toBe(user);
      },
      50,
    );
    const { message } = clientFirst({ ...alice, user: "a=2C,b" }, "nonce", null);
    expect(message).toBe("n,,n=a=3D2C=2Cb,r=nonce");
    expect(readClientFirst(message, null).user).toBe("a=2C,b");
  });
});

test.each([
  ["without TLS", null],
  ["over TLS", BINDING],
])("no message may be changed by a single character, %s", (_, binding) => {
  const sides = { ofClient: binding, ofServer: binding };
  for (const which of [0, 1, 2, 3]) {
    let length = Infinity;
    for (let at = 0; at < length; at++) {
      for (const put of [() => "", flipped, (c: string) => `${c}A`, () => "=", () => ","]) {
        const changed: OnTheWay = (message, now) => {
          if (now !== which) return message;
          length = message.length;
          return message.slice(0, at) + put(message.charAt(at)) + message.slice(at + 1);
        };
        let isSame = false;
        const noticing: OnTheWay = (message, now) => {
          const out = changed(message, now);
          isSame ||= now === which && out === message;
          return out;
        };
        const works = worksOrProtocol(() => logIn(noticing, sides));
        expect([which, at, works]).toEqual([which, at, isSame]);
      }
    }
  }
});

/** Another character of the same kind. */
const flipped = (c: string): string => String.fromCharCode(c.charCodeAt(0) ^ 1);

function worksOrProtocol(work: () => { server: boolean; client: boolean }): boolean {
  try {
    const { server, client } = work();
    return server && client;
  } catch (error) {
    if (!isDfsError(error, "protocol")) throw error;
    return false;
  }
}

test("a proof counts once: another server, or the same one later, asks with another nonce", () => {
  const begun = clientFirst(alice, "clientNonce", null);
  const first = readClientFirst(begun.message, null);
  const one = serverFirst(first, "one");
  const proof = clientFinal(begun.state, one.message);
  expect(checkClientFinal(one.state, alice, proof.message)).not.toBeNull();
  expect(checkClientFinal(serverFirst(first, "other").state, alice, proof.message)).toBeNull();
});

describe("someone in the middle", () => {
  test("has another TLS connection to each side, which both notice", () => {
    const ofServer = new Uint8Array(32).fill(8);
    expect(logIn(asItIs, { ofClient: BINDING, ofServer })).toEqual(NEITHER);
  });

  test.each(["n,,", "y,,"])("cannot take the binding away with %s", (header) => {
    const strip: OnTheWay = (message) => message.replace(/^p=tls-exporter,,/, header);
    const sides = { ofClient: BINDING, ofServer: BINDING };
    errorOf("protocol", () => logIn(strip, sides));
    expect(worksOrProtocol(() => logIn(strip, { ...sides, ofServer: null }))).toBe(false);
    errorOf("protocol", () => logIn(asItIs, { ofClient: null, ofServer: BINDING }));
    errorOf("protocol", () => logIn(asItIs, { ofClient: BINDING, ofServer: null }));
  });

  test("cannot ask for another salt or fewer iterations", () => {
    const { salt } = derivationOf("Alice");
    for (const weaker of [
      { salt: new Uint8Array(16), iterations: 4096 },
      { salt: salt.slice(1), iterations: 4096 },
      { salt, iterations: 1 },
      { salt, iterations: 4097 },
    ]) {
      const { state, message } = clientFirst(alice, "clientNonce", null);
      const challenge = serverFirst(readClientFirst(message, null), "serverNonce", weaker);
      const error = errorOf("protocol", () => clientFinal(state, challenge.message));
      expect(error.message).toContain("do not trust it");
    }
  });

  test("cannot answer with the client's nonce alone, or another one", () => {
    const { state } = clientFirst(alice, "clientNonce", null);
    const { salt } = derivationOf("Alice");
    for (const nonce of ["clientNonce", "otherNonce-and-more"])
      errorOf("protocol", () => clientFinal(state, `r=${nonce},s=${salt.toBase64()},i=4096`));
  });
});

describe("malformed messages", () => {
  test.each([
    [""],
    ["n,,n=,r=x"],
    ["n,,n=a"],
    ["n,,n=a,r="],
    ["n,a=b,n=a,r=x"],
    ["n,,m=1,n=a,r=x"],
    ["n,,n=a,r=x,y=1"],
    ["n,,n=a=2c,r=x"],
    ["n,,n=a=,r=x"],
    ["n,,n=a\0,r=x"],
    ["n,,n=\ud800,r=x"],
    ["n,,n=a,r=x\n"],
    ["n,,n=a,r=ü"],
    ["p=tls-unique,,n=a,r=x"],
    [`n,,n=a,r=${"x".repeat(SCRAM_MESSAGE_BYTES)}`],
    [`n,,n=${"ü".repeat(SCRAM_MESSAGE_BYTES / 2)},r=x`],
  ])("%j is none that a login begins with", (message) => {
    errorOf("protocol", () => readClientFirst(message, null));
  });

  test("any text is refused by each of the four", () => {
    const begun = clientFirst(alice, "clientNonce", null);
    const challenge = serverFirst(readClientFirst(begun.message, null), "serverNonce");
    const proof = clientFinal(begun.state, challenge.message);
    const part = fc.constantFrom("n", "=", ",", "r", "p", "c", "v", "s", "i", "biws", "4096");
    const text = fc.array(fc.oneof(part, fc.string()), { maxLength: 12 });
    forAll([text.map((parts) => parts.join(""))], (message) => {
      for (const read of [
        () => clientFinal(begun.state, message),
        () => checkClientFinal(challenge.state, alice, message),
        () => checkServerFinal(proof.state, message),
      ])
        errorOf("protocol", read);
    });
    for (const message of ["v=AAAA", "e=invalid-proof", `c=biws,r=x,p=AAAA`])
      errorOf("protocol", () => checkServerFinal(proof.state, message));
    errorOf("protocol", () => checkClientFinal(challenge.state, alice, "c=biws,r=x,p=AAAA"));
  });
});
