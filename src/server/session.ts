/**
 * One connection: frames in, replies out, many requests at once. It reads on only while little is in progress, so that
 * a fast sender, or one that does not read its replies, waits in its own socket and not in this server's memory.
 */
import { decode, struct, u16, u32 } from "../bytes.ts";
import { Reader } from "../cursor.ts";
import { DfsError, INVALID_LOGIN } from "../errors.ts";
import type { Clock, Conn } from "../io/ports.ts";
import {
  FRAME_MS,
  HELLO_MS,
  IDLE_MS,
  INFLIGHT_BYTES,
  INFLIGHT_BYTES_PER_CONNECTION,
  REQUESTS_PER_CONNECTION,
  REQUESTS_PER_TURN,
} from "../limits.ts";
import type { Store } from "../store/store.ts";
import { errorFrame, type Frame, FrameParser, frameOf, REPLY } from "../wire/frames.ts";
import { checkHello } from "../wire/handshake.ts";
import type { Verifier } from "../wire/login.ts";
import { type Doorkeeper, Login, type UserTable } from "./login.ts";
import {
  type AddressedKind,
  type Kind,
  kindOfNumber,
  MESSAGES,
  type ReplyOf,
  type RequestOf,
} from "../wire/messages.ts";
import type { Codec } from "../bytes.ts";
import { answer, type Context, type Who } from "./answer.ts";
import { greeting, install, join } from "./belonging.ts";
import { Uploads } from "./uploads.ts";

/** What all connections of a server have in progress. */
export interface Load {
  bytes: number;
  /** Bytes of all requests and replies so far. */
  total: number;
}

export interface SessionOptions {
  readonly load: Load;
  readonly store: Store;
  readonly clock: Clock;
  /** The program's version, for people. */
  readonly release: string;
  /** As ServeOptions has them. */
  readonly users: () => Promise<UserTable | null>;
  readonly changeVerifier: (user: string, verifier: Verifier) => Promise<void>;
  readonly doorkeeper: Doorkeeper;
}

/** Where there are no users. */
const ANYBODY: Who = { user: "", isOperator: true };

const opening = struct({ magic: u32, version: u16 });
const BEFORE_LOGIN: ReadonlySet<Kind> = new Set(["hello", "login", "proof"]);

export class Session {
  readonly #conn: Conn;
  readonly #options: SessionOptions;
  readonly #context: Context;
  readonly #parser = new FrameParser();
  readonly #login: Login;
  /** Who asks; null before that is known. */
  #who: Who | null = null;
  /** Until then it must be known who asks, however many bytes come. */
  #knownBy: number;
  #isBroken = false;
  #begun = 0;
  #requests = 0;
  #bytes = 0;
  #wake: (() => void) | null = null;
  #cancelDeadline: () => void = () => {};

  constructor(conn: Conn, options: SessionOptions) {
    this.#conn = conn;
    this.#options = options;
    this.#knownBy = options.clock.now() + HELLO_MS;
    this.#context = { store: options.store, uploads: new Uploads(options.store) };
    this.#login = new Login(options.doorkeeper, conn.peer);
  }

  /** Serves the connection to its end; never throws. */
  async run(): Promise<void> {
    try {
      for (;;) {
        this.#setDeadline();
        const bytes = await this.#conn.read();
        if (!bytes) break;
        this.#cancelDeadline();
        for (const frame of this.#parser.push(bytes)) {
          this.#begin(frame);
          await this.#room();
        }
      }
    } catch (error) {
      await this.#conn.write(...errorFrame(0, error)).catch(() => {});
    }
    this.#cancelDeadline();
    this.#conn.close();
    await this.#context.uploads.close();
  }

  /** Is any request not answered yet? */
  get isWorking(): boolean {
    return this.#requests > 0;
  }

  /** Resolves when the next request may begin; throws when the peer takes no reply for too long. */
  async #room(): Promise<void> {
    const { clock } = this.#options;
    // Requests that are answered at once would keep the others waiting as long as there are any.
    if (++this.#begun % REQUESTS_PER_TURN === 0)
      await new Promise<void>((resolve) => void clock.after(0, resolve));
    while (this.#isBusy() && !this.#isBroken) {
      const cancel = clock.after(FRAME_MS, () => this.#conn.close());
      await new Promise<void>((resolve) => (this.#wake = resolve));
      cancel();
    }
    if (this.#isBroken) throw new DfsError("down", "the connection broke");
  }

  #isBusy(): boolean {
    const { load } = this.#options;
    return (
      this.#requests >= REQUESTS_PER_CONNECTION ||
      this.#bytes >= INFLIGHT_BYTES_PER_CONNECTION ||
      (this.#bytes > 0 && load.bytes >= INFLIGHT_BYTES)
    );
  }

  #setDeadline(): void {
    const waiting = this.#parser.isMidFrame ? FRAME_MS : IDLE_MS;
    const { clock } = this.#options;
    const isKnown = this.#who !== null;
    const ms = isKnown ? waiting : Math.max(1, this.#knownBy - clock.now());
    this.#cancelDeadline = clock.after(ms, () => {
      // Who it is may have been found out meanwhile; and a login that failed is kept waiting longer than that.
      if (isKnown || (!this.#who && !this.isWorking)) return this.#conn.close();
      this.#knownBy = clock.now() + HELLO_MS;
      this.#setDeadline();
    });
  }

  #begin(frame: Frame): void {
    const kind = kindOfNumber(frame.kind);
    if (!kind) throw new DfsError("protocol", `there is no message ${frame.kind}`);
    if (this.#who === null && !BEFORE_LOGIN.has(kind))
      throw new DfsError("protocol", "the first request must be login or hello");
    if (kind === "hello" || kind === "login") {
      // The two begin alike, and a peer of another kind is better told so at once.
      checkHello(opening.read(new Reader(frame.body)));
    }
    void this.#serve(kind, frame);
  }

  async #serve(kind: Kind, frame: Frame): Promise<void> {
    let weight = frame.body.length;
    this.#requests++;
    this.#bytes += weight;
    this.#options.load.bytes += weight;
    this.#options.load.total += weight;
    try {
      const request = decode(MESSAGES[kind].request as Codec<RequestOf<Kind>>, frame.body);
      if ("length" in request) {
        weight += request.length;
        this.#bytes += request.length;
        this.#options.load.bytes += request.length;
      }
      const reply = await this.#answer(kind, request);
      const codec = MESSAGES[kind].reply as Codec<ReplyOf<Kind>>;
      const parts = frameOf(REPLY, frame.id, codec, reply);
      this.#options.load.total += parts.reduce((sum, { length }) => sum + length, 0);
      await this.#conn.write(...parts);
    } catch (error) {
      await this.#conn.write(...errorFrame(frame.id, error)).catch(() => {
        this.#isBroken = true;
      });
    } finally {
      this.#requests--;
      this.#bytes -= weight;
      this.#options.load.bytes -= weight;
      this.#wake?.();
      this.#wake = null;
    }
  }

  async #answer(kind: Kind, request: RequestOf<Kind>): Promise<ReplyOf<Kind>> {
    if (kind === "hello") return this.#greet();
    if (kind === "login") return this.#first(request as RequestOf<"login">);
    if (kind === "proof") return this.#proof(request as RequestOf<"proof">);
    if (kind === "passwd") return this.#passwd(request as RequestOf<"passwd">);
    const who = this.#known();
    const { store } = this.#options;
    if (kind === "init") return join(store, who, request as RequestOf<"init">);
    if (kind === "install") return install(store, who, request as RequestOf<"install">);
    return answer(this.#context, who, kind, request as RequestOf<AddressedKind> as never);
  }

  async #greet(): Promise<ReplyOf<"hello">> {
    const { store, release, users } = this.#options;
    if (!this.#who && (await users()) === null) this.#letIn(ANYBODY);
    this.#known();
    return greeting(store, release);
  }

  #known(): Who {
    if (this.#who) return this.#who;
    throw new DfsError("login", INVALID_LOGIN);
  }

  #letIn(who: Who): void {
    this.#who = who;
    this.#parser.trust();
  }

  async #first({ user, nonce: clientNonce }: RequestOf<"login">): Promise<ReplyOf<"login">> {
    const users = await this.#options.users();
    if (users === null) return { challenge: null };
    const { sid } = this.#options.store;
    const said = { user, clientNonce, sid, binding: this.#conn.binding };
    return { challenge: { nonce: this.#login.begin(said, users), sid } };
  }

  async #proof(shown: RequestOf<"proof">): Promise<ReplyOf<"proof">> {
    const proof = await this.#login.final(shown);
    this.#letIn({ user: this.#login.user ?? "", isOperator: this.#login.isOperator });
    return { proof, isOperator: this.#login.isOperator };
  }

  /** A user's own password, which they have just shown to know. */
  async #passwd(keys: RequestOf<"passwd">): Promise<Record<never, never>> {
    const { user } = this.#known();
    if (this.#login.user === null)
      throw new DfsError("forbidden", "this server knows no users, and so no passwords");
    await this.#options.changeVerifier(user, { is: "signature", ...keys });
    return {};
  }
}
