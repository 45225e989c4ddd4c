/** Those who stand where a server should be, over TLS with a certificate of their own: one who passes all on, and one who answers. */
import { networkInterfaces } from "node:os";
import { newCertificate } from "../../src/server/process/certificate.ts";
import { bunNet } from "../../src/io/bun.ts";
import type { Certificate, Conn, Listener } from "../../src/io/ports.ts";
import { errorFrame, type Frame, FrameParser, frameOf, REPLY } from "../../src/wire/frames.ts";
import { MESSAGES, type ReplyOf, type RequestOf } from "../../src/wire/messages.ts";
import { DfsError } from "../../src/errors.ts";
import { decode } from "../../src/bytes.ts";

const CONNECT_MS = 5000;

/** An address of this machine that is no loopback; without any, the one of all its addresses is none by its looks. */
/** Of a server in the test's own process. */
export const QUIET = { descriptors: 1024, notify: (): void => {} };
export const HOST =
  Object.values(networkInterfaces())
    .flat()
    .find((one) => one?.family === "IPv4" && !one.internal)?.address ?? "0.0.0.0";

/** What somebody in between has to show: not what the server would. */
const certificate = await newCertificate();

/** One direction of one connection, as it was read. */
type Heard = Uint8Array[];

abstract class Listening {
  readonly name: string;
  #listener: Listener | null = null;

  protected constructor(name: string) {
    this.name = name;
  }

  get port(): number {
    return this.#listener?.port ?? 0;
  }

  protected async listen(accept: (conn: Conn) => Promise<void>, shown: Certificate | null) {
    this.#listener = await bunNet.listen(HOST, 0, (conn) => void accept(conn), shown);
  }

  close(): void {
    this.#listener?.close();
  }
}

/** Opens what both ends seal, reads it, and passes it on. */
export class Middleman extends Listening {
  readonly #port: number;
  /** What clients said, a connection each; and what the server answered. */
  readonly asked: Heard[] = [];
  readonly answered: Heard[] = [];

  private constructor(name: string, port: number) {
    super(name);
    this.#port = port;
  }

  /** Stands before a server, and is called as it is. */
  static async before({ name, port }: { name: string; port: number }): Promise<Middleman> {
    const man = new Middleman(name, port);
    await man.listen((client) => man.#between(client), certificate);
    return man;
  }

  async #between(client: Conn): Promise<void> {
    const server = await bunNet.connect(HOST, this.#port, CONNECT_MS, true);
    await Promise.all([
      pass(client, server, keep(this.asked)),
      pass(server, client, keep(this.answered)),
    ]);
  }
}

function keep(all: Heard[]): Heard {
  const heard: Heard = [];
  all.push(heard);
  return heard;
}

async function pass(from: Conn, to: Conn, heard: Heard): Promise<void> {
  try {
    for (let bytes = await from.read(); bytes; bytes = await from.read()) {
      heard.push(bytes.slice());
      await to.write(bytes);
    }
  } catch {
    // Who is not there any more gets nothing more.
  }
  to.close();
}

/** What an impostor answers a login with; null: an error. */
export interface Answers {
  challenge(first: RequestOf<"login">): ReplyOf<"login"> | null;
  proof(shown: RequestOf<"proof">): Uint8Array | null;
}

/** Says it is a server, and does not know what that one knows. */
export class Impostor extends Listening {
  readonly #answers: Answers;
  /** The numbers of all messages that it was sent. */
  readonly kinds: number[] = [];
  /** All that it was sent. */
  readonly heard: Heard = [];

  private constructor(name: string, answers: Answers) {
    super(name);
    this.#answers = answers;
  }

  /** With TLS, or with none. */
  static async open(name: string, answers: Answers, isPlain = false): Promise<Impostor> {
    const impostor = new Impostor(name, answers);
    await impostor.listen((client) => impostor.#serve(client), isPlain ? null : certificate);
    return impostor;
  }

  async #serve(client: Conn): Promise<void> {
    const parser = new FrameParser();
    try {
      for (let bytes = await client.read(); bytes; bytes = await client.read()) {
        this.heard.push(bytes.slice());
        for (const frame of parser.push(bytes)) await client.write(...this.#reply(frame));
      }
    } catch {
      // What is no frame gets no answer.
    }
    client.close();
  }

  #reply({ kind, id, body }: Frame): Uint8Array[] {
    this.kinds.push(kind);
    const { login, proof } = MESSAGES;
    const refusal = errorFrame(id, new DfsError("failed", "no"));
    if (kind === login.number) {
      const reply = this.#answers.challenge(decode(login.request, body));
      return reply === null ? refusal : frameOf(REPLY, id, login.reply, reply);
    }
    const shown = kind === proof.number ? this.#answers.proof(decode(proof.request, body)) : null;
    if (shown === null) return refusal;
    return frameOf(REPLY, id, proof.reply, { proof: shown, isOperator: true });
  }
}
