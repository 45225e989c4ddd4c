/**
 * One server as the client sees it: a connection, requests by number and their replies, and whether
 * the server is down. Used by greeter, connections and cluster.
 */
import { decode, type Codec } from "../../bytes.ts";
import { DfsError, INVALID_LOGIN, isDfsError } from "../../errors.ts";
import type { Clock, Conn, Net, Random } from "../../io/ports.ts";
import { FIRST_REPLY_MS, GREETING_MS, LOGIN_NONCE_BYTES } from "../../limits.ts";
import type { Config, ServerAddress } from "../../membership.ts";
import type { Standing } from "../trust/lives.ts";
import { checkSameServer, type LoggedIn, type Login, logIn } from "./login.ts";
import { orInterrupted } from "./living/interruption.ts";
import { Requests, type Waiting } from "./living/requests.ts";
import { Pulse } from "./pulse.ts";
import type { Ballot } from "../../version.ts";
import { dataTaker, NO_DATA, type Taker } from "../../wire/arriving_data.ts";
import { ERROR, errorOf, FrameParser, REPLY, requestFrame } from "../../wire/frames.ts";
import { checkGreeting, HELLO, isLoopback, isTls } from "../../wire/handshake.ts";
import type { SignatureVerifier } from "../../wire/signature.ts";
import {
  type AddressedKind,
  type BodyOf,
  type Kind,
  MESSAGES,
  type ReplyOf,
  type RequestOf,
} from "../../wire/messages.ts";
import type { Address, UserFloor } from "../../wire/values.ts";

export type ClientPorts = { readonly clock: Clock; readonly net: Net; readonly random: Random };

export interface PeerOptions {
  /** Who logs in. null: nobody, because there is no password. */
  readonly login: Login | null;
  /** How long a server has for its first answer; FIRST_REPLY_MS where nothing is said. */
  readonly patienceMs?: number | undefined;
  /** Is TLS left out on the way to other machines too? */
  readonly isPlain?: boolean | undefined;
}

export class Peer {
  readonly address: ServerAddress;
  readonly #conn: Conn;
  readonly pulse: Pulse;
  readonly #waiting = new Requests();
  readonly #parser = new FrameParser({
    takerOf: ({ kind, id, bodyBytes }) => {
      const take = kind === REPLY ? this.#waiting.takerOf(id) : null;
      return take ? dataTaker(bodyBytes, take) : null;
    },
    giveBack: (bytes) => this.#conn.giveBack(bytes),
  });
  #down: DfsError | null = null;
  /** The address of the last request. */
  #to: Address | null = null;
  /** Did the server answer in TLS what was said without TLS? */
  #speaksTls = false;
  /** What the server says it is. */
  release = "";
  sid = "";
  /** The epoch of the configuration that the server goes by; 0: it has none. */
  epoch = 0;
  /** What the server said last of its own lives, and of those of others. */
  standing: Standing | null = null;
  /** Whom the server has let in. null: nobody logged in, or the server knows no users. */
  loggedIn: LoggedIn | null = null;

  private constructor(address: ServerAddress, conn: Conn, clock: Clock) {
    this.address = address;
    this.#conn = conn;
    this.pulse = new Pulse(clock, conn, (why) => this.#fail(why));
    this.#parser.trust();
    void this.#receive();
  }

  /**
   * Connects, logs in and says hello. Throws DfsError("down") unless the server answers in time: it
   * has `patienceMs` for its first answer, and GREETING_MS more for its greeting. Throws
   * DfsError("login") where it does not take the password, or cannot prove that it knows it.
   */
  static async connect(
    ports: ClientPorts,
    address: ServerAddress,
    { login, patienceMs = FIRST_REPLY_MS, isPlain = false }: PeerOptions,
  ): Promise<{ peer: Peer; greeting: ReplyOf<"hello"> }> {
    // How long this computer takes to stretch the password is no silence of the server.
    if (login) await Promise.all(login.credentials);
    const until = ports.clock.now() + patienceMs;
    const isLocal = isLoopback(address.host);
    // To another machine only TLS will do. A server here may be one that speaks only TLS, too.
    const ways = !login || isPlain ? [false] : isLocal ? [false, true] : [true];
    for (;;) {
      const secure = ways.shift() ?? false;
      try {
        return await Peer.#connect(ports, address, login, secure, until);
      } catch (error) {
        const isOver = ports.clock.now() >= until || ways.length === 0;
        if (isOver || !isDfsError(error, "down")) throw error;
      }
    }
  }

  static async #connect(
    { clock, net, random }: ClientPorts,
    address: ServerAddress,
    login: Login | null,
    secure: boolean,
    until: number,
  ): Promise<{ peer: Peer; greeting: ReplyOf<"hello"> }> {
    const left = until - clock.now();
    const dialled = net.connect(address.host, address.port, left, secure);
    const conn = await dialled.catch((error: unknown) => {
      if (!isDfsError(error, "down")) throw error;
      throw new DfsError("down", `${address.name} (${error.message}) does not answer`);
    });
    const peer = new Peer(address, conn, clock);
    const failAt = (ms: number, why: string) =>
      clock.after(ms - clock.now(), () => peer.#fail(why));
    const stopWaiting = failAt(until, `it did not answer within ${Math.ceil(left / 100) / 10} s`);
    const stopGreeting = failAt(until + GREETING_MS, "its greeting does not come to an end");
    try {
      // After a sign of life a server may take its time, as one asked with wrong passwords does.
      if (login) {
        const nonce = (): Uint8Array => random.bytes(LOGIN_NONCE_BYTES);
        peer.loggedIn = await logIn(peer, login, nonce, conn.binding, stopWaiting);
      }
      const greeting = await peer.hello();
      if (peer.loggedIn) checkSameServer(peer, peer.loggedIn, greeting.sid);
      peer.release = greeting.release;
      peer.sid = greeting.sid;
      return { peer, greeting };
    } catch (error) {
      peer.close();
      // A server that speaks TLS knows users, and here no user logs in.
      throw peer.#speaksTls && !login ? new DfsError("login", INVALID_LOGIN) : error;
    } finally {
      stopWaiting();
      stopGreeting();
    }
  }

  sendLogin<K extends "login" | "proof">(kind: K, request: RequestOf<K>): Promise<ReplyOf<K>> {
    return this.#request(kind, request);
  }

  /** The server's name in the configuration and its address, for messages. */
  get label(): string {
    return `${this.address.name} (${this.#conn.peer})`;
  }

  get isDown(): boolean {
    return this.#down !== null;
  }

  /** Bytes on the wire so far, both ways. */
  get traffic(): { sent: number; received: number } {
    return { sent: this.#conn.sent, received: this.#conn.received };
  }

  /** Asks the server again what it knows of itself and its cluster. */
  async hello(): Promise<ReplyOf<"hello">> {
    const greeting = await this.#request("hello", HELLO);
    checkGreeting(this.label, greeting);
    const { sid, now, known, isUnsettled, config } = greeting;
    this.epoch = config?.epoch ?? 0;
    this.standing = { sid, now, known, isUnsettled, own: this.standing?.own ?? new Set() };
    return greeting;
  }

  /** Has the server check this user's password with this verifier from now on. */
  changeVerifier({ publicKey, serverKey }: SignatureVerifier): Promise<ReplyOf<"passwd">> {
    return this.#request("passwd", { publicKey, serverKey });
  }

  /** Makes a blank server a member of a cluster. */
  init(cluster: string): Promise<ReplyOf<"init">> {
    return this.#request("init", { sid: this.sid, cluster });
  }

  /** Asks a member which of these lives were its own, and tells it the lives of others. */
  async meet(
    cluster: string,
    question: Omit<RequestOf<"lives">, "cluster" | "sid">,
  ): Promise<ReplyOf<"lives">> {
    const reply = await this.#request("lives", { cluster, sid: this.sid, ...question });
    const { areYours, known, isUnsettled } = reply;
    const own = question.areYours.flatMap(({ mark }, i) => (areYours[i] ? [mark] : []));
    const before = this.standing;
    if (before)
      this.standing = { ...before, known, isUnsettled, own: new Set([...before.own, ...own]) };
    return reply;
  }

  /** Has a member go by a configuration that was chosen. */
  async install(
    cluster: string,
    config: Config,
    floor: Ballot,
    floors: UserFloor[] = [],
  ): Promise<void> {
    await this.#request("install", { cluster, sid: this.sid, config, floor, floors });
    this.epoch = Math.max(this.epoch, config.epoch);
  }

  /**
   * Sends one request, to a member at an epoch. Throws the server's error, DfsError("down"), and
   * ("interrupted") once the signal is aborted and the connection has taken the request's bytes. Of
   * a FETCH, `take` gets the data as it comes, and the reply has none.
   */
  call<K extends AddressedKind>(
    kind: K,
    body: BodyOf<K>,
    to: Omit<Address, "sid">,
    { take, signal = null }: { take?: Taker | undefined; signal?: AbortSignal | null } = {},
  ): Promise<ReplyOf<K>> {
    const { cluster, epoch, user } = to;
    // Mostly the same address as before. Then it is the same object, whose bytes are made once.
    const known = this.#to;
    if (known?.epoch !== epoch || known.user !== user || known.cluster !== cluster)
      this.#to = { ...to, sid: this.sid };
    const request = { to: this.#to, ...body } as unknown as RequestOf<K>;
    let taken: Promise<void> | undefined;
    const reply = new Promise<ReplyOf<K>>((...on) => {
      taken = this.#send(kind, request, take, ...on);
    });
    return orInterrupted(reply, signal, taken);
  }

  /** Ends the connection. Requests that wait for a reply fail. */
  close(): void {
    this.#fail("the connection was closed");
  }

  #request<K extends Kind>(kind: K, request: RequestOf<K>): Promise<ReplyOf<K>> {
    return new Promise((...on) => void this.#send(kind, request, undefined, ...on));
  }

  /** Resolves when the connection has taken the request, which settles with its reply. */
  #send<K extends Kind>(
    kind: K,
    request: RequestOf<K>,
    take: Taker | undefined,
    ...[resolve, reject]: [Waiting["resolve"], Waiting["reject"]]
  ): Promise<void> {
    if (this.#down) throw this.#down;
    const id = this.#waiting.nextId();
    // Throws where the request cannot be encoded, so it comes before anything waits for it.
    const frame = requestFrame(kind, id, request);
    this.#waiting.wait(id, { kind, take, resolve, reject });
    this.pulse.asked(id);
    const taken = this.#conn.write(...frame);
    const bytes = frame.reduce((sum, { length }) => sum + length, 0);
    this.pulse.writing(bytes, taken);
    return taken;
  }

  async #receive(): Promise<void> {
    try {
      for (let bytes = await this.#conn.read(); bytes; bytes = await this.#conn.read()) {
        if (isTls(bytes) && !this.#parser.isMidFrame) throw new DfsError("login", INVALID_LOGIN);
        let ended = 0;
        for (const { kind, id, body } of this.#parser.push(bytes)) {
          ended++;
          this.#reply(kind, id, body);
        }
        this.pulse.received(ended, this.#parser.isMidFrame);
      }
      this.#fail("the connection broke");
    } catch (error) {
      this.#speaksTls = isDfsError(error, "login");
      this.#fail(error instanceof Error ? error.message : String(error));
    }
  }

  #reply(kind: number, id: number, body: Uint8Array): void {
    // An error without a request of ours ends the connection: the server says why.
    if (id === 0 && kind === ERROR) throw errorOf(body);
    const waiting = this.#waiting.take(id);
    if (!waiting) throw new DfsError("protocol", "it answered what was not asked");
    this.pulse.answered(id);
    if (kind === ERROR) return waiting.reject(errorOf(body));
    if (kind !== REPLY) throw new DfsError("protocol", `it answered with frame kind ${kind}`);
    if (waiting.take) return waiting.resolve(NO_DATA as never);
    try {
      waiting.resolve(decode(MESSAGES[waiting.kind].reply as Codec<never>, body));
    } catch (error) {
      waiting.reject(error as DfsError);
      throw error;
    }
  }

  #fail(why: string): void {
    if (this.#down) return;
    this.#down = new DfsError("down", `${this.label}: ${why}`);
    this.pulse.stop();
    for (const { reject } of this.#waiting.takeAll()) reject(this.#down);
    this.#conn.close();
  }
}
