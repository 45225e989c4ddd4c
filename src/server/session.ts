/**
 * One connection: frames in, replies out, many requests at once. It reads on only while little is held for it, and for all connections
 * together (weight): requests until they are answered, and replies until they are taken. A peer that is not quick enough is cut off (pace).
 */
import { type Codec, decode, struct, u16, u32 } from "../bytes.ts";
import { Reader } from "../cursor.ts";
import { DfsError, INVALID_LOGIN } from "../errors.ts";
import type { Clock, Conn, Tell } from "../io/ports.ts";
import { CHUNK_BYTES, REQUESTS_PER_CONNECTION } from "../limits.ts";
import type { Store } from "../store/store.ts";
import { errorFrame, type Frame, FrameParser, frameOf, REPLY } from "../wire/frames.ts";
import { checkHello } from "../wire/handshake.ts";
import type { Verifier } from "../wire/login.ts";
import { ANYBODY, isStill, Opening } from "./access/admission.ts";
import type { Doorkeeper } from "./access/doorkeeper.ts";
import { hostOf } from "./access/host.ts";
import { Login, type UserTable } from "./access/login.ts";
import { Pace } from "./bounds/pace.ts";
import type { Member, Places } from "./bounds/places.ts";
import {
  type AddressedKind,
  type Kind,
  kindOfNumber,
  MESSAGES,
  type ReplyOf,
  type RequestOf,
} from "../wire/messages.ts";
import { answer, BOUND_TO_EPOCH, type Context } from "./answers/answer.ts";
import { type Who } from "./access/admission.ts";
import { greeting, install, join, meet } from "./answers/belonging.ts";
import type { Turns } from "./bounds/turns.ts";
import type { UploadShares } from "./bounds/upload_shares.ts";
import { Uploads } from "./answers/uploads.ts";
import { type Load, replyBytes, roomOf, Weight } from "./bounds/weight.ts";

export interface SessionOptions {
  readonly load: Load;
  readonly places: Places;
  readonly turns: Turns;
  readonly shares: UploadShares;
  readonly store: Store;
  readonly clock: Clock;
  /** The program's version, for people. */
  readonly release: string;
  /** As ServeOptions has them. */
  readonly users: () => Promise<UserTable | null>;
  readonly changeVerifier: (user: string, verifier: Verifier) => Promise<void>;
  readonly doorkeeper: Doorkeeper;
  /** As ServeOptions has it. */
  readonly tell: Tell;
}

const opening = struct({ magic: u32, version: u16 });

export class Session implements Member {
  readonly host: string;
  readonly #conn: Conn;
  readonly #options: SessionOptions;
  readonly #context: Context;
  readonly #parser = new FrameParser();
  readonly #login: Login;
  readonly #pace: Pace;
  readonly #weight: Weight;
  /** Who asks; null before that is known. */
  #who: Who | null = null;
  /** The lives of others that the peer was told of, by the store's count of changes; -1: of none. */
  #told = -1;
  readonly #opening = new Opening();
  #isBroken = false;
  #begun = 0;
  #requests = 0;
  #wake: (() => void) | null = null;
  #cancelLook: () => void = () => {};

  constructor(conn: Conn, options: SessionOptions) {
    this.host = hostOf(conn.peer);
    this.#conn = conn;
    this.#options = options;
    this.#pace = new Pace(options.clock, conn);
    this.#weight = new Weight(options.load);
    const { store, shares } = options;
    const uploads = new Uploads(store, shares, () => this.#who?.user || conn.peer);
    this.#context = { store, uploads };
    this.#login = new Login(options.doorkeeper, conn.peer, options.tell);
  }

  /** Serves the connection to its end; never throws. */
  async run(): Promise<void> {
    const { clock, load, turns } = this.#options;
    load.join(this);
    this.#look();
    try {
      for (;;) {
        this.#pace.wantsFrame(this.#parser.isMidFrame);
        const bytes = await this.#conn.read();
        if (!bytes) break;
        for (const frame of this.#parser.push(bytes)) {
          this.#pace.frameOver();
          this.#weight.holds(this.#parser.held);
          const kind = this.#kindOf(frame);
          await turns.next(kind, ++this.#begun);
          void this.#serve(kind, frame);
          await this.#room();
        }
        this.#weight.holds(this.#parser.held);
        if (load.isOver) load.relieve(clock.now());
      }
    } catch (error) {
      await this.#conn.write(...errorFrame(0, error)).catch(() => {});
    }
    this.#weight.leave();
    this.#cancelLook();
    this.#login.leave();
    load.leave(this);
    this.#conn.close();
    await this.#context.uploads.close();
  }

  /** Is any request not answered yet? */
  get isWorking(): boolean {
    return this.#requests > 0;
  }

  get quietSince(): number {
    return this.#pace.quietSince;
  }

  get held(): number {
    return this.#weight.held;
  }

  get stalledSince(): number | null {
    return this.#pace.stalledSince;
  }

  /** Ends the connection. */
  close(): void {
    this.#conn.close();
  }

  /** Is who asks, where that is known, still one of these users? */
  isOf(users: UserTable | null): boolean {
    return this.#who === null || isStill(this.#who, users);
  }

  /** Ends the connection when the peer has had its time. */
  #look(): void {
    this.#cancelLook = this.#options.clock.after(this.#pace.nextLook, () => {
      if (this.#pace.isOver(this.isWorking)) this.#conn.close();
      else this.#look();
    });
  }

  /** Resolves when the next request may begin; throws when the connection broke meanwhile. */
  async #room(): Promise<void> {
    const { clock, load } = this.#options;
    while (this.#isBusy() && !this.#isBroken) {
      const woken = Promise.withResolvers<void>();
      this.#wake = woken.resolve;
      const isOwnMatter = this.#weight.hasRoom || this.#weight.isFull;
      const stopWaiting = isOwnMatter ? null : load.waitForRoom(clock, woken.resolve);
      await woken.promise;
      stopWaiting?.();
    }
    if (this.#isBroken) throw new DfsError("down", "the connection broke");
  }

  #isBusy(): boolean {
    return this.#requests >= REQUESTS_PER_CONNECTION || !this.#weight.hasRoom;
  }

  /** The kind of a request that may be asked now; throws DfsError("protocol"). */
  #kindOf(frame: Frame): Kind {
    const kind = kindOfNumber(frame.kind);
    if (!kind) throw new DfsError("protocol", `there is no message ${frame.kind}`);
    if (this.#who === null) this.#opening.check(kind);
    if (kind === "hello" || kind === "login") {
      // The two begin alike, and a peer of another kind is better told so at once.
      checkHello(opening.read(new Reader(frame.body)));
    }
    return kind;
  }

  async #serve(kind: Kind, frame: Frame): Promise<void> {
    const { load } = this.#options;
    let weight = 0;
    const weighs = (bytes: number): void => {
      this.#weight.add(bytes - weight);
      weight = bytes;
    };
    this.#requests++;
    const asked = frame.body.length;
    load.total += asked;
    weighs(asked + replyBytes(kind, 0));
    try {
      const request = decode(MESSAGES[kind].request as Codec<RequestOf<Kind>>, frame.body);
      if ("length" in request)
        weighs(asked + replyBytes(kind, Math.min(request.length, CHUNK_BYTES)));
      const reply = await this.#answer(kind, request);
      const codec = MESSAGES[kind].reply as Codec<ReplyOf<Kind>>;
      const parts = frameOf(REPLY, frame.id, codec, reply);
      load.total += parts.reduce((sum, { length }) => sum + length, 0);
      weighs(asked + roomOf(parts));
      this.#wakeUp();
      await this.#send(parts);
    } catch (error) {
      await this.#send(errorFrame(frame.id, error)).catch(() => {
        this.#isBroken = true;
      });
    } finally {
      this.#requests--;
      weighs(0);
      this.#wakeUp();
    }
  }

  #wakeUp(): void {
    this.#wake?.();
    this.#wake = null;
  }

  /** Resolves when it was taken. */
  async #send(parts: Uint8Array[]): Promise<void> {
    this.#pace.replies();
    try {
      await this.#conn.write(...parts);
    } finally {
      this.#pace.taken();
    }
  }

  async #answer(kind: Kind, request: RequestOf<Kind>): Promise<ReplyOf<Kind>> {
    if (kind === "hello") return this.#greet();
    if (kind === "login") return this.#first(request as RequestOf<"login">);
    if (kind === "proof") return this.#pace.hold(() => this.#proof(request as RequestOf<"proof">));
    if (kind === "passwd") return this.#passwd(request as RequestOf<"passwd">);
    const { store, tell } = this.#options;
    const by = { who: this.#known(), from: this.#conn.peer, tell };
    if (kind === "init") return join(store, by, request as RequestOf<"init">);
    if (kind === "install") return install(store, by, request as RequestOf<"install">);
    if (kind === "lives") {
      const reply = await meet(store, by, request as RequestOf<"lives">);
      this.#told = store.lives.revision;
      return reply;
    }
    if (BOUND_TO_EPOCH.has(kind) && this.#told !== store.lives.revision)
      throw new DfsError("lives", "the lives of servers have changed since it was met");
    return answer(this.#context, by.who, kind, request as RequestOf<AddressedKind> as never);
  }

  async #greet(): Promise<ReplyOf<"hello">> {
    const { store, release, users } = this.#options;
    if (!this.#who && (await users()) === null) this.#letIn(ANYBODY);
    this.#known();
    const reply = await greeting(store, release);
    this.#told = store.lives.revision;
    return reply;
  }

  #known(): Who {
    if (this.#who) return this.#who;
    throw new DfsError("login", INVALID_LOGIN);
  }

  #letIn(who: Who): void {
    this.#who = who;
    this.#parser.trust();
    this.#pace.known();
    // Where there are no users nobody is better than who comes.
    if (who === ANYBODY) return;
    this.#options.places.settle(this, who.user);
    this.#weight.isOf(who.user);
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
    await this.#options.doorkeeper.mayChange(user);
    await this.#options.changeVerifier(user, { is: "signature", ...keys });
    return {};
  }
}
