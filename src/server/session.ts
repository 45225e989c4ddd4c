/**
 * One connection: it takes frames and sends replies, with many requests under way at once. It reads
 * on only while little memory is held for it, and for all connections together (load.ts). A peer
 * that is too slow is cut off (pace.ts). Used by serve.ts.
 */
import { type Codec, decode, struct, u16, u32 } from "../bytes.ts";
import { free, Reader } from "../cursor.ts";
import { DfsError, INVALID_LOGIN } from "../errors.ts";
import type { Clock, Conn, Notify } from "../io/ports.ts";
import { CHUNK_BYTES, REQUESTS_PER_CONNECTION } from "../limits.ts";
import type { Store } from "../store/store.ts";
import { errorFrame, type Frame, FrameParser, frameOf, freeFrame, REPLY } from "../wire/frames.ts";
import { checkHello } from "../wire/handshake.ts";
import type { Verifier } from "../wire/login.ts";
import { ANYBODY, isStillUser, OpeningLimit, type Requester } from "./access/admission.ts";
import type { Doorkeeper } from "./access/doorkeeper.ts";
import { hostOf } from "./access/host.ts";
import { Login, type UserTable } from "./access/login.ts";
import { Pace } from "./bounds/pace.ts";
import type { Connection, ConnectionLimit } from "./bounds/connection_limit.ts";
import {
  type AddressedKind,
  type Kind,
  kindOfNumber,
  MESSAGES,
  type ReplyOf,
  type RequestOf,
} from "../wire/messages.ts";
import { answer, BOUND_TO_EPOCH, type Context } from "./answers/answer.ts";
import { greeting, install, join, meet } from "./answers/cluster_answers.ts";
import type { Turns } from "./bounds/turns.ts";
import type { UploadShares } from "./bounds/upload_shares.ts";
import { Uploads } from "./answers/uploads.ts";
import { type ServerLoad, replyBytes, roomOf, ConnectionLoad } from "./bounds/load.ts";

export interface SessionOptions {
  readonly load: ServerLoad;
  readonly connections: ConnectionLimit;
  readonly turns: Turns;
  readonly shares: UploadShares;
  readonly store: Store;
  readonly clock: Clock;
  /** The program's version, for people. */
  readonly release: string;
  /** As in ServeOptions. */
  readonly users: () => Promise<UserTable | null>;
  readonly changeVerifier: (user: string, verifier: Verifier) => Promise<void>;
  readonly notify: Notify;
  readonly doorkeeper: Doorkeeper;
}

const opening = struct({ magic: u32, version: u16 });

export class Session implements Connection {
  readonly host: string;
  readonly #conn: Conn;
  readonly #options: SessionOptions;
  readonly #context: Context;
  readonly #parser = new FrameParser({ giveBack: (bytes) => this.#conn.giveBack(bytes) });
  readonly #login: Login;
  readonly #pace: Pace;
  readonly #ownLoad: ConnectionLoad;
  /** The user of the connection; null before it is known. */
  #requester: Requester | null = null;
  /** The revision of the store's known lives that the peer was told; -1: none. */
  #livesSeen = -1;
  readonly #opening = new OpeningLimit();
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
    this.#ownLoad = new ConnectionLoad(options.load);
    const { store, shares } = options;
    const uploads = new Uploads(store, shares, () => this.#requester?.user || conn.peer);
    this.#context = { store, uploads };
    this.#login = new Login(options.doorkeeper, conn.peer, options.notify);
  }

  /** Serves the connection to its end. Never throws. */
  async run(): Promise<void> {
    const { clock, load, turns } = this.#options;
    load.join(this);
    this.#watchPace();
    try {
      for (;;) {
        this.#pace.wantsFrame(this.#parser.isMidFrame);
        const bytes = await this.#conn.read();
        if (!bytes) break;
        for (const frame of this.#parser.push(bytes)) {
          this.#pace.frameOver();
          this.#ownLoad.setPartial(this.#parser.held);
          const kind = this.#kindOf(frame);
          await turns.next(kind, ++this.#begun);
          void this.#serve(kind, frame);
          await this.#waitForRoom();
        }
        this.#ownLoad.setPartial(this.#parser.held);
        if (load.isOver) load.relieve(clock.now());
      }
    } catch (error) {
      await this.#conn.write(...errorFrame(0, error)).catch(() => {});
    }
    this.#ownLoad.leave();
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
    return this.#ownLoad.held;
  }

  get stalledSince(): number | null {
    return this.#pace.stalledSince;
  }

  /** Ends the connection. */
  close(): void {
    this.#conn.close();
  }

  /** Is the user of this connection, if known, still one of these users? */
  isAllowedBy(users: UserTable | null): boolean {
    return this.#requester === null || isStillUser(this.#requester, users);
  }

  /** Ends the connection when the peer's time is up. */
  #watchPace(): void {
    this.#cancelLook = this.#options.clock.after(this.#pace.checkAfterMs, () => {
      if (this.#pace.isOver(this.isWorking)) this.#conn.close();
      else this.#watchPace();
    });
  }

  /** Resolves when the next request may begin. Throws if the connection broke meanwhile. */
  async #waitForRoom(): Promise<void> {
    const { clock, load } = this.#options;
    while (this.#isBusy() && !this.#isBroken) {
      const woken = Promise.withResolvers<void>();
      this.#wake = woken.resolve;
      const isOwnMatter = this.#ownLoad.hasRoom || this.#ownLoad.isFull;
      const stopWaiting = isOwnMatter ? null : load.waitForRoom(clock, woken.resolve);
      await woken.promise;
      stopWaiting?.();
    }
    if (this.#isBroken) throw new DfsError("down", "the connection broke");
  }

  #isBusy(): boolean {
    return this.#requests >= REQUESTS_PER_CONNECTION || !this.#ownLoad.hasRoom;
  }

  /** The kind of a request that is allowed now. Throws DfsError("protocol"). */
  #kindOf(frame: Frame): Kind {
    const kind = kindOfNumber(frame.kind);
    if (!kind) throw new DfsError("protocol", `there is no message ${frame.kind}`);
    if (this.#requester === null) this.#opening.check(kind);
    if (kind === "hello" || kind === "login") {
      // Both begin with the protocol's version: a peer with another one learns of it at once.
      checkHello(opening.read(new Reader(frame.body)));
    }
    return kind;
  }

  async #serve(kind: Kind, frame: Frame): Promise<void> {
    const { load } = this.#options;
    let charged = 0;
    const charge = (bytes: number): void => {
      this.#ownLoad.add(bytes - charged);
      charged = bytes;
    };
    this.#requests++;
    const requestBytes = frame.body.length;
    load.total += requestBytes;
    charge(requestBytes + replyBytes(kind, 0));
    try {
      const request = decode(MESSAGES[kind].request as Codec<RequestOf<Kind>>, frame.body);
      if ("length" in request)
        charge(requestBytes + replyBytes(kind, Math.min(request.length, CHUNK_BYTES)));
      const reply = await this.#answer(kind, request);
      if (kind === "upload") freeFrame(frame);
      const parts = frameOf(REPLY, frame.id, MESSAGES[kind].reply as Codec<ReplyOf<Kind>>, reply);
      load.total += parts.reduce((sum, { length }) => sum + length, 0);
      charge(requestBytes + roomOf(parts));
      this.#wakeUp();
      await this.#send(parts);
      // Bytes of a piece were read for this reply alone.
      if ("data" in reply) free(reply.data);
    } catch (error) {
      await this.#send(errorFrame(frame.id, error)).catch(() => {
        this.#isBroken = true;
      });
    } finally {
      this.#requests--;
      charge(0);
      this.#wakeUp();
    }
  }

  #wakeUp(): void {
    this.#wake?.();
    this.#wake = null;
  }

  /** Resolves when the peer has taken it. */
  async #send(parts: Uint8Array[]): Promise<void> {
    this.#pace.replyBegun();
    try {
      await this.#conn.write(...parts);
    } finally {
      this.#pace.replyTaken();
    }
  }

  async #answer(kind: Kind, request: RequestOf<Kind>): Promise<ReplyOf<Kind>> {
    if (kind === "hello") return this.#greet();
    if (kind === "login") return this.#challenge(request as RequestOf<"login">);
    if (kind === "proof") return this.#pace.hold(() => this.#proof(request as RequestOf<"proof">));
    if (kind === "passwd") return this.#passwd(request as RequestOf<"passwd">);
    const { store, notify } = this.#options;
    const requester = this.#known();
    const origin = { requester, from: this.#conn.peer, notify };
    if (kind === "init") return join(store, origin, request as RequestOf<"init">);
    if (kind === "install") return install(store, origin, request as RequestOf<"install">);
    if (kind === "lives") {
      const reply = await meet(store, origin, request as RequestOf<"lives">);
      this.#livesSeen = store.lives.revision;
      return reply;
    }
    if (BOUND_TO_EPOCH.has(kind) && this.#livesSeen !== store.lives.revision)
      throw new DfsError("lives", "the lives of servers have changed since it was met");
    return answer(this.#context, requester, kind, request as RequestOf<AddressedKind> as never);
  }

  async #greet(): Promise<ReplyOf<"hello">> {
    const { store, release, users } = this.#options;
    if (!this.#requester && (await users()) === null) this.#admit(ANYBODY);
    this.#known();
    const reply = await greeting(store, release);
    this.#livesSeen = store.lives.revision;
    return reply;
  }

  #known(): Requester {
    if (this.#requester) return this.#requester;
    throw new DfsError("login", INVALID_LOGIN);
  }

  #admit(requester: Requester): void {
    this.#requester = requester;
    this.#parser.trust();
    this.#pace.userKnown();
    // Where there are no users, no user can be preferred to others.
    if (requester === ANYBODY) return;
    this.#options.connections.setUser(this, requester.user);
    this.#ownLoad.setUser(requester.user);
  }

  async #challenge({ user, nonce: clientNonce }: RequestOf<"login">): Promise<ReplyOf<"login">> {
    const users = await this.#options.users();
    if (users === null) return { challenge: null };
    const { sid } = this.#options.store;
    const exchange = { user, clientNonce, sid, binding: this.#conn.binding };
    return { challenge: { nonce: this.#login.begin(exchange, users), sid } };
  }

  async #proof(shown: RequestOf<"proof">): Promise<ReplyOf<"proof">> {
    const proof = await this.#login.final(shown);
    this.#admit({ user: this.#login.user ?? "", isOperator: this.#login.isOperator });
    return { proof, isOperator: this.#login.isOperator };
  }

  /** PASSWD: changes the password of the user who has just logged in. */
  async #passwd(keys: RequestOf<"passwd">): Promise<Record<never, never>> {
    const { user } = this.#known();
    if (this.#login.user === null)
      throw new DfsError("forbidden", "this server knows no users, and so no passwords");
    await this.#options.doorkeeper.mayChange(user);
    await this.#options.changeVerifier(user, { is: "signature", ...keys });
    return {};
  }
}
