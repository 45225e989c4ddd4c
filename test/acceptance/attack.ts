/**
 * Peers that mean harm, on the project's own codecs. By hand: bun test/acceptance/attack.ts PORT KIND COUNT SECONDS [USER PASSWORD]
 */
import { decode } from "../../src/bytes.ts";
import { bunNet } from "../../src/io/bun.ts";
import type { Conn } from "../../src/io/ports.ts";
import { stretch } from "../../src/io/stretch.ts";
import { BLOCK_BYTES, LOGIN_NONCE_BYTES, REQUESTS_PER_CONNECTION } from "../../src/limits.ts";
import { requestIdOf } from "../../src/membership.ts";
import { ERROR, errorOf, FrameParser, requestFrame } from "../../src/wire/frames.ts";
import { HELLO } from "../../src/wire/handshake.ts";
import { type Kind, MESSAGES, type RequestOf } from "../../src/wire/messages.ts";
import type { Address } from "../../src/wire/values.ts";
import { credentialsOf, proofOf } from "../../src/wire/login.ts";
import { inStore } from "../harness/named.ts";

const HOST = "127.0.0.1";
const CONNECT_MS = 5000;
const DRIP_MS = 4000;
const AGAIN_MS = Number(process.env.ATTACK_AGAIN_MS ?? 1000);
const NAMES = 1000;
/** A list of names so long has few on a page, and so is its page as long as it may be. */
const NAME_LENGTH = 1000;

/** All that were opened, and may be open still. */
const open = new Set<Conn>();

type Credentials = ReturnType<typeof credentialsOf>;

/** Whom to attack, with how many connections, and as whom; null: as nobody. */
export interface Target {
  readonly port: number;
  readonly count: number;
  readonly credentials: Credentials | null;
}

const credentialsFor = async (user: string, password: string): Promise<Credentials> =>
  credentialsOf(user, (await stretch(user, password)).login);

/** One connection, from which nothing is read but what it asks for. */
class Line {
  readonly conn: Conn;
  readonly #parser = new FrameParser();
  #id = 0;

  private constructor(conn: Conn) {
    this.conn = conn;
    this.#parser.trust();
  }

  static async open({ port }: Target): Promise<Line> {
    const conn = await bunNet.connect(HOST, port, CONNECT_MS, false);
    open.add(conn);
    return new Line(conn);
  }

  /** One that the server has let in, and what its requests must say of it. */
  static async known(target: Target): Promise<{ line: Line; to: Address }> {
    const line = await Line.open(target);
    const { credentials } = target;
    if (credentials) {
      const { user } = credentials;
      const clientNonce = crypto.getRandomValues(new Uint8Array(LOGIN_NONCE_BYTES));
      const body = await line.ask("login", { ...HELLO, user, nonce: clientNonce });
      const { challenge } = decode(MESSAGES.login.reply, body);
      if (!challenge) throw new Error("the server knows no users");
      const { nonce: serverNonce, sid } = challenge;
      const exchange = { user, clientNonce, serverNonce, sid, binding: null };
      await line.ask("proof", proofOf(credentials, exchange, true));
    }
    const { cluster, config, sid } = decode(MESSAGES.hello.reply, await line.ask("hello", HELLO));
    const user = credentials?.user ?? "";
    const id = config && cluster ? requestIdOf(config, cluster) : "";
    return { line, to: { cluster: id, epoch: config?.epoch ?? 0, sid, user } };
  }

  /** Sends a request; resolves when the kernel has taken it. */
  send<K extends Kind>(kind: K, request: RequestOf<K>): Promise<void> {
    return this.conn.write(...requestFrame(kind, ++this.#id, request));
  }

  async ask<K extends Kind>(kind: K, request: RequestOf<K>): Promise<Uint8Array> {
    await this.send(kind, request);
    for (;;) {
      const bytes = await this.conn.read();
      if (!bytes) throw new Error("the server closed the connection");
      for (const { kind: answer, body } of this.#parser.push(bytes)) {
        if (answer === ERROR) throw errorOf(body);
        return body;
      }
    }
  }

  /** Resolves when the server has ended it; nothing that it sends is read. */
  async ended(): Promise<void> {
    // What is not read is not seen to end.
    for (;;) {
      await Bun.sleep(200);
      await this.conn.write(new Uint8Array(0));
    }
  }
}

type Attack = (target: Target) => Promise<void>;

/** What one connection does, until the server ends it. */
export const ATTACKS = {
  /** Nothing. */
  async idle(target) {
    const { conn } = await Line.open(target);
    await conn.read();
  },

  /** Nothing, once it is let in. */
  async idleKnown(target) {
    const { line } = await Line.known(target);
    await line.conn.read();
  },

  /** A byte now and then of its first request. */
  async drip(target) {
    const { conn } = await Line.open(target);
    const [bytes] = requestFrame("hello", 1, HELLO);
    for (const byte of bytes ?? []) {
      await conn.write(Uint8Array.of(byte));
      await Bun.sleep(DRIP_MS);
    }
  },

  /** A byte now and then of a long frame, once it is let in. */
  async dripKnown(target) {
    const { line } = await Line.known(target);
    await line.conn.write(Uint8Array.of(0, 4, 0, 0), new Uint8Array(200_000).fill(2));
    for (;;) {
      await line.conn.write(Uint8Array.of(2));
      await Bun.sleep(DRIP_MS);
    }
  },

  /** Hello without end before any login, and no reply is read. */
  async hellos(target) {
    const { line } = await Line.known({ ...target, credentials: null }).catch(async () => ({
      line: await Line.open(target),
    }));
    for (;;) {
      for (let i = 0; i < 1000; i++) void line.send("hello", HELLO).catch(() => {});
      await line.send("hello", HELLO);
    }
  },

  /** As many lists as may be asked for, and no page is read. */
  async lists(target) {
    const { line, to } = await Line.known(target);
    const request = { ...ALL, to, limit: NAMES };
    for (let i = 0; i < REQUESTS_PER_CONNECTION; i++) void line.send("list", request).catch(noop);
    await line.ended();
  },

  /** Requests without end, and no reply is read. */
  async endless(target) {
    const { line, to } = await Line.known(target);
    const request = { ...ALL, to, limit: NAMES };
    for (;;) {
      for (let i = 0; i < 1000; i++) void line.send("list", request).catch(noop);
      await line.send("list", request);
    }
  },

  /** Pieces that are begun and never finished. */
  async uploads(target) {
    const { line, to } = await Line.known(target);
    const data = new Uint8Array(BLOCK_BYTES);
    for (let i = 0; i < REQUESTS_PER_CONNECTION; i++) {
      const vid = (i + 1).toString(16).padStart(32, "f");
      const piece = {
        name: inStore("x"),
        vid,
        cid: vid,
        piece: 0,
        size: 2 ** 40,
        offset: 0,
        root: null,
        data,
      };
      await line.ask("upload", { to, ...piece }).catch(noop);
    }
    await line.conn.read();
  },
} as const satisfies Record<string, Attack>;

export type AttackKind = keyof typeof ATTACKS;

/** A list of everything. */
const ALL = { after: "", prefix: "", delimiter: "", facts: false, everything: true };
const noop = (): void => {};

/** Names of files that do not exist, so many and so long that lists of them are long. */
export async function fill(target: Target): Promise<void> {
  const { line, to } = await Line.known(target);
  for (let i = 0; i < NAMES; i++) {
    const name = `${String(i)}-`.padEnd(200, "x").concat(`/${"y".repeat(200)}`.repeat(3));
    if (name.length > NAME_LENGTH) throw new Error("bug: the name is too long");
    const vid = (i + 1).toString(16).padStart(32, "a");
    await line.ask("prepare", {
      to,
      name: inStore(name),
      ballot: 1n << 64n,
      vid,
      link: null,
      inline: [],
    });
  }
  line.conn.close();
}

/** Attacks with as many connections as the target says, each anew when the server has ended it; the function returned ends them all. */
export function attack(kind: AttackKind, target: Target): () => void {
  let isOver = false;
  const one = async (): Promise<void> => {
    // Not all at the same moment.
    await Bun.sleep(Math.random() * AGAIN_MS);
    while (!isOver) {
      await ATTACKS[kind](target).catch(noop);
      await Bun.sleep(AGAIN_MS);
    }
  };
  for (let i = 0; i < target.count; i++) void one();
  return () => {
    isOver = true;
    for (const conn of open) conn.close();
    open.clear();
  };
}

if (import.meta.main) {
  const [port, kind, count, seconds, user, password] = process.argv.slice(2);
  const credentials = user && password ? await credentialsFor(user, password) : null;
  const target = { port: Number(port), count: Number(count), credentials };
  if (kind === "fill") await fill(target);
  else attack(kind as AttackKind, target);
  await Bun.sleep(Number(seconds) * 1000);
  process.exit(0);
}
