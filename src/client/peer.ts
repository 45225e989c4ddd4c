/** One server as the client sees it: a connection, requests by number, and when it counts as down. */
import { decode, type Codec } from "../bytes.ts";
import { DfsError, isDfsError } from "../errors.ts";
import type { Clock, Conn, Net } from "../io/ports.ts";
import { FIRST_REPLY_MS, PROGRESS_MS } from "../limits.ts";
import type { Config } from "../membership.ts";
import type { Ballot } from "../version.ts";
import { ERROR, errorOf, FrameParser, REPLY, requestFrame } from "../wire/frames.ts";
import { checkGreeting, helloOf } from "../wire/handshake.ts";
import {
  type Address,
  type AddressedKind,
  type BodyOf,
  type Kind,
  MESSAGES,
  type ReplyOf,
  type RequestOf,
} from "../wire/messages.ts";

/** Where a server is, as the configuration says. */
export interface ServerAddress {
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

interface Waiting {
  readonly kind: Kind;
  readonly resolve: (reply: never) => void;
  readonly reject: (error: DfsError) => void;
}

export class Peer {
  readonly address: ServerAddress;
  readonly #conn: Conn;
  readonly #clock: Clock;
  readonly #waiting = new Map<number, Waiting>();
  readonly #parser = new FrameParser();
  #nextId = 1;
  #lastSign: number;
  #stopWatching: (() => void) | null = null;
  #down: DfsError | null = null;
  readonly #user: string;
  /** The release that the server says it is, and its id. */
  release = "";
  sid = "";

  private constructor(address: ServerAddress, conn: Conn, clock: Clock, user: string) {
    this.address = address;
    this.#user = user;
    this.#conn = conn;
    this.#clock = clock;
    this.#lastSign = clock.now();
    this.#parser.trust();
    void this.#receive();
  }

  /** Connects and says hello; throws DfsError("down") unless the server answers in time, which is a second. */
  static async connect(
    ports: { clock: Clock; net: Net },
    address: ServerAddress,
    user: string,
    patienceMs: number = FIRST_REPLY_MS,
  ): Promise<{ peer: Peer; greeting: ReplyOf<"hello"> }> {
    const { clock, net } = ports;
    const until = clock.now() + patienceMs;
    const conn = await net
      .connect(address.host, address.port, patienceMs)
      .catch((error: unknown) => {
        throw isDfsError(error, "down")
          ? new DfsError("down", `${address.name} (${error.message}) does not answer`)
          : error;
      });
    const peer = new Peer(address, conn, clock, user);
    const cancel = clock.after(until - clock.now(), () =>
      peer.#fail(`it did not answer within ${patienceMs / 1000} s`),
    );
    try {
      const greeting = await peer.hello();
      peer.release = greeting.release;
      peer.sid = greeting.sid;
      return { peer, greeting };
    } catch (error) {
      peer.close();
      throw error;
    } finally {
      cancel();
    }
  }

  /** The server for messages: its name in the configuration and its address. */
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

  /** Asks the server anew what it knows of itself and its cluster. */
  async hello(): Promise<ReplyOf<"hello">> {
    const greeting = await this.#request("hello", helloOf(this.#user));
    checkGreeting(this.label, greeting);
    return greeting;
  }

  /** Makes a blank server a member of a cluster. */
  init(cluster: string): Promise<ReplyOf<"init">> {
    return this.#request("init", { sid: this.sid, cluster });
  }

  /** Has a member go by a configuration that was chosen. */
  install(cluster: string, config: Config, floor: Ballot): Promise<ReplyOf<"install">> {
    return this.#request("install", { cluster, sid: this.sid, config, floor });
  }

  /**
   * One request to this server as a member of a cluster at an epoch, and its reply; throws what the server answered, or
   * DfsError("down") once it shows no sign of life.
   */
  call<K extends AddressedKind>(
    kind: K,
    body: BodyOf<K>,
    of: Omit<Address, "sid">,
  ): Promise<ReplyOf<K>> {
    return this.#request(kind, {
      to: { ...of, sid: this.sid },
      ...body,
    } as unknown as RequestOf<K>);
  }

  /** Ends the connection; calls that wait for a reply fail. */
  close(): void {
    this.#fail("the connection was closed");
  }

  #request<K extends Kind>(kind: K, request: RequestOf<K>): Promise<ReplyOf<K>> {
    if (this.#down) return Promise.reject(this.#down);
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      if (this.#waiting.size === 0) this.#lastSign = this.#clock.now();
      this.#waiting.set(id, { kind, resolve, reject });
      this.#watch();
      this.#conn.write(...requestFrame(kind, id, request)).then(
        () => {
          this.#lastSign = this.#clock.now();
        },
        () => this.#fail("the connection broke"),
      );
    });
  }

  async #receive(): Promise<void> {
    try {
      for (let bytes = await this.#conn.read(); bytes; bytes = await this.#conn.read()) {
        this.#lastSign = this.#clock.now();
        for (const { kind, id, body } of this.#parser.push(bytes)) this.#reply(kind, id, body);
      }
      this.#fail("the connection broke");
    } catch (error) {
      this.#fail(error instanceof Error ? error.message : String(error));
    }
  }

  #reply(kind: number, id: number, body: Uint8Array): void {
    // An error without a request of ours ends the connection; the server says why.
    if (id === 0 && kind === ERROR) throw errorOf(body);
    const waiting = this.#waiting.get(id);
    if (!waiting) throw new DfsError("protocol", "it answered what was not asked");
    this.#waiting.delete(id);
    if (kind === ERROR) return waiting.reject(errorOf(body));
    if (kind !== REPLY) throw new DfsError("protocol", `it answered with frame kind ${kind}`);
    try {
      waiting.resolve(decode(MESSAGES[waiting.kind].reply as Codec<never>, body));
    } catch (error) {
      waiting.reject(error as DfsError);
      throw error;
    }
  }

  /** One timer for all requests: the server must show a sign of life while any of them waits. */
  #watch(): void {
    if (this.#stopWatching) return;
    const left = this.#lastSign + PROGRESS_MS - this.#clock.now();
    this.#stopWatching = this.#clock.after(Math.max(1, left), () => {
      this.#stopWatching = null;
      if (this.#waiting.size === 0) return;
      if (this.#clock.now() >= this.#lastSign + PROGRESS_MS)
        return this.#fail("it stopped answering");
      this.#watch();
    });
  }

  #fail(why: string): void {
    if (this.#down) return;
    this.#down = new DfsError("down", `${this.label}: ${why}`);
    this.#stopWatching?.();
    for (const { reject } of this.#waiting.values()) reject(this.#down);
    this.#waiting.clear();
    this.#conn.close();
  }
}
