/**
 * Damaged logins: whatever a peer says that does not know the password, it is let in nowhere, and the connection ends or answers with an
 * error. FUZZ_SECONDS=n goes on for so long.
 */
import { expect, test } from "bun:test";
import { concat, decode } from "../../src/bytes.ts";
import type { Clock, Conn } from "../../src/io/ports.ts";
import { bunRandom } from "../../src/io/bun.ts";
import { Doorkeeper } from "../../src/server/access/doorkeeper.ts";
import type { KnownUser, UserTable } from "../../src/server/access/login.ts";
import { ConnectionLimit } from "../../src/server/bounds/connection_limit.ts";
import { Session } from "../../src/server/session.ts";
import { Turns } from "../../src/server/bounds/turns.ts";
import { UploadShares } from "../../src/server/bounds/upload_shares.ts";
import { ServerLoad } from "../../src/server/bounds/load.ts";
import { ERROR, type Frame, FrameParser, requestFrame } from "../../src/wire/frames.ts";
import { HELLO } from "../../src/wire/handshake.ts";
import { type Kind, MESSAGES, type RequestOf } from "../../src/wire/messages.ts";
import { credentialsOf, proofOf, verifierOf } from "../../src/wire/login.ts";
import { scramVerifierOf } from "../../src/wire/scram.ts";
import { inFolder } from "../harness/folder.ts";
import { damage, type Dice, dice, seconds, seed } from "../wire/damage.ts";
import { samples } from "../harness/property.ts";
import { EXCHANGES, KINDS } from "../wire/exchanges.ts";

const INPUTS = 3000;
const alice = credentialsOf("Alice", "right");
const bob = credentialsOf("Bob", "right");
const mallory = credentialsOf("Alice", "wrong");
const USERS: UserTable = new Map<string, KnownUser>([
  ["Alice", { verifier: verifierOf("Alice", "right"), isOperator: true }],
  ["Bob", { verifier: scramVerifierOf("Bob", "right"), isOperator: true }],
]);

/** Time that does not pass: what waits goes on at once. */
const clock: Clock = {
  now: () => 0,
  wall: () => 0,
  after(ms, fn) {
    if (ms > 1000) return () => {};
    const timer = setImmediate(fn);
    return () => clearImmediate(timer);
  },
};

/** A peer that has said all that it says. */
function connOf(said: Uint8Array, parts: number): Conn & { readonly answers: Frame[] } {
  const parser = new FrameParser();
  parser.trust();
  const answers: Frame[] = [];
  const size = Math.max(1, Math.ceil(said.length / parts));
  let at = 0;
  return {
    answers,
    peer: "192.0.2.1:1",
    binding: null,
    received: 0,
    sent: 0,
    async read() {
      // Answers come before the next bytes: some of them wait for the login before.
      for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
      if (at >= said.length) return null;
      at += size;
      return said.slice(at - size, at);
    },
    async write(...bytes) {
      answers.push(...parser.push(concat(bytes)));
    },
    giveBack() {},
    close() {},
  };
}

const frame = <K extends Kind>(kind: K, id: number, request: RequestOf<K>): Uint8Array =>
  concat(requestFrame(kind, id, request));

/** What a guest may try: a login begun, a proof that is none, or of another login, then what only users may ask. */
function attempt(roll: Dice): Uint8Array {
  const { magic, version } = HELLO;
  const credentials = [alice, bob, mallory][roll(3)] ?? mallory;
  const { user } = credentials;
  const nonce = bunRandom.bytes(32);
  // It knows not what the server will say; and who knows the password may have said this to another one.
  const guess = { user, clientNonce: nonce, serverNonce: bunRandom.bytes(32), sid: "3".repeat(32) };
  const proof = proofOf(credentials, { ...guess, binding: null }, roll(2) === 0);
  const others = samples(EXCHANGES.read.request, 1);
  const kind = KINDS[roll(KINDS.length)] ?? "read";
  const any = samples<unknown>(EXCHANGES[kind].request, 3)[roll(3)];
  const frames = [
    frame("login", 1, { magic, version, user, nonce }),
    frame("proof", 2, proof),
    frame("hello", 3, HELLO),
    frame("read", 4, others[0] as RequestOf<"read">),
    concat(requestFrame(kind, 5, any as never)),
  ].filter(() => roll(5) > 0);
  let bytes = concat(frames.length > 0 ? frames : [new Uint8Array(1)]);
  for (let times = roll(4); times > 0 && bytes.length > 0; times--) bytes = damage(bytes, roll);
  return bytes;
}

test(
  "who does not know the password is told nothing",
  () =>
    inFolder(async (folder) => {
      const store = await folder.open();
      const options = {
        store,
        clock,
        load: new ServerLoad(),
        connections: new ConnectionLimit(100),
        turns: new Turns(clock),
        shares: new UploadShares(clock, 100),
        release: "test",
        users: async () => USERS,
        changeVerifier: () => Promise.reject(new Error("a password was changed")),
        notify: () => {},
      };
      const until = performance.now() + seconds * 1000;
      let challenges = 0;
      let n = 0;
      for (; n < INPUTS || performance.now() < until; n++) {
        const roll = dice(seed * 1_000_003 + n);
        const doorkeeper = new Doorkeeper({ clock, random: bunRandom });
        const conn = connOf(attempt(roll), 1 + roll(6));
        await new Session(conn, { ...options, doorkeeper }).run();
        const answers = conn.answers.filter(({ kind }) => kind !== ERROR);
        challenges += answers.length;
        for (const { body } of answers) {
          // 1 and a nonce and an id, as nothing but a challenge is.
          const { challenge } = decode(MESSAGES.login.reply, body);
          if (challenge?.sid !== store.sid)
            throw new Error(`input ${n} of seed ${seed} was let in`);
        }
      }
      if (seconds > 0) console.log(`${n} connections`);
      expect(challenges).toBeGreaterThan(INPUTS / 10);
      expect(store.membership.cluster).toBeNull();
    }),
  (seconds + 120) * 1000,
);
