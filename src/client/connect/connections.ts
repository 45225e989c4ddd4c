/** Connections to servers, by the id that each says it has: those that dfc.conf names, and those that the cluster itself names. */
import { DfsError, INVALID_LOGIN, isDfsError } from "../../errors.ts";
import {
  type Config,
  membersOf,
  type Seat,
  type ServerAddress,
  slotOf,
  writtenAddress,
} from "../../membership.ts";
import type { ReplyOf } from "../../wire/messages.ts";
import type { ClientPorts, Peer, PeerOptions } from "./peer.ts";
import type { Left } from "../trust/lives.ts";
import { canRead, groupOf, quorumOf } from "../../quorum.ts";
import { addressText, type Attempt, Greeter, type Greeted } from "./greeter.ts";
import type { ClusterMemory } from "../trust/memory.ts";
import { configIn } from "./view.ts";

export interface OpenOptions extends PeerOptions {
  /** Whose names and files; the empty one is nobody's. */
  readonly user: string;
  /** Takes a line for the user, such as that a server is lost. */
  readonly warn: (line: string) => void;
  readonly memory?: ClusterMemory | undefined; // none: nothing is remembered
}

export class Connections {
  readonly #options: OpenOptions;
  readonly #servers: readonly ServerAddress[];
  readonly #greeter: Greeter;
  readonly #bySid = new Map<string, Peer>();
  /** Those that do not count; a copy may come to. */
  readonly #out = new Map<string, Left>();
  /** Those that came late, and were not met yet. */
  readonly #unmet = new Set<string>();
  /** All that answered, in the order of dfc.conf, and after them others that the cluster led to. */
  readonly greeted: Greeted[] = [];
  /** How many of them were silent at first. */
  #arrivals = 0;
  /** Counts the changes of who counts. */
  verdicts = 0;
  /** Refusals of the password that nothing was made of yet. */
  readonly #refused: string[] = [];
  #reaching: Promise<void> | null = null;
  readonly #lookouts = new Set<() => void>();
  /** Meets a server that comes late, before it is asked anything. */
  welcome: ((greeted: Greeted) => Promise<void>) | null = null;

  /** `servers` are those of dfc.conf. */
  constructor(ports: ClientPorts, servers: readonly ServerAddress[], options: OpenOptions) {
    this.#servers = servers;
    this.#options = options;
    this.#greeter = new Greeter(ports, options);
  }

  /** How long a server has to answer at first. */
  get patienceMs(): number {
    return this.#greeter.patienceMs;
  }

  /** How many servers have answered that were silent at first. */
  get arrivals(): number {
    return this.#arrivals;
  }

  /**
   * Connects to all servers of dfc.conf; goes on with as many as it takes to read where others are slow, and waits for silent ones where
   * those that answer cannot tell who the servers are. `failures` says of the others why not. Throws DfsError("login") where any refuses
   * the password.
   */
  async greetAll(): Promise<{ greeted: Greeted[]; failures: string[] }> {
    const failures: string[] = [];
    await this.#greeter.trySeveral(
      this.#servers,
      () => this.#canRead(this.greeted),
      (server, attempt) => {
        if (isRefusal(attempt)) return this.#noteRefusal(server, attempt.error);
        const one = this.#take(server, attempt, failures);
        if (one) this.greeted.push(one);
      },
    );
    const isTold = (): boolean => configIn(this.greeted) !== null || this.#canRead(this.greeted);
    if (this.#refused.length === 0) await this.reachSilent(isTold);
    this.#checkRefusals();
    this.#warnOfOpen();
    const places = new Map(this.#servers.map((server, i) => [server, i]));
    const placeOf = ({ peer }: Greeted): number => places.get(peer.address) ?? 0;
    this.greeted.sort((a, b) => placeOf(a) - placeOf(b));
    return { greeted: [...this.greeted], failures };
  }

  #noteRefusal({ name }: ServerAddress, { message }: DfsError): void {
    this.#refused.push(message === INVALID_LOGIN ? `${name}: ${INVALID_LOGIN}` : message);
  }

  #checkRefusals(): void {
    const [first] = this.#refused;
    if (first === undefined) return;
    // Where all say the same it is the password; one that stands alone may be somebody in between.
    const isAlike = this.#refused.every((line) => line.endsWith(INVALID_LOGIN));
    if (isAlike && this.greeted.length === 0) throw new DfsError("login", INVALID_LOGIN);
    throw new DfsError("login", first.endsWith(INVALID_LOGIN) ? `${first} ${ALONE}` : first);
  }

  /** Are these enough to read, or, where there is no cluster yet, to make one? */
  #canRead(greeted: readonly Greeted[]): boolean {
    const config = configIn(greeted);
    if (!config) return greeted.length >= groupOf([...this.#servers.keys()]).accept;
    const slots = greeted.map(({ greeting }) => slotOf(config, greeting.sid));
    return canRead(quorumOf(config), slots);
  }

  /** One that was started without its file of users lets everybody in. */
  #warnOfOpen(): void {
    if (!this.isLoggedIn) return;
    for (const { peer } of this.greeted)
      if (!peer.loggedIn)
        this.#options.warn(
          `${peer.label} knows no users, as the others do: whoever reaches it can change what it holds; give it their file of users`,
        );
  }

  /** Connects to one server; null when it does not answer, and `failures` then says why. Throws DfsError("login"). */
  async greet(server: ServerAddress, failures: string[] = []): Promise<Greeted | null> {
    const attempt = await this.#greeter.tryOnce(server);
    if (isRefusal(attempt)) throw attempt.error;
    return this.#take(server, attempt, failures);
  }

  /** The server that answered, which can be asked from now on. */
  #take(server: ServerAddress, attempt: Attempt, failures: string[]): Greeted | null {
    if (!attempt.greeted) {
      // One server that cannot answer for itself must not keep people from the others.
      const { code, message } = attempt.error;
      if (code !== "down") this.#options.warn(`${server.name}: ${message}; it does not count`);
      failures.push(message);
      return null;
    }
    const { peer, greeting } = attempt.greeted;
    const known = this.connectedTo(greeting.sid);
    if (known && addressText(known.address) === addressText(server)) {
      peer.close();
      return { peer: known, greeting };
    }
    if (!known) this.#bySid.set(greeting.sid, peer);
    return attempt.greeted;
  }

  /**
   * Has servers that were silent at first tried again, until it is `isEnough` or some seconds are over; those that are silent then are
   * down. Never those that refuse. It returns at once where it is enough already, or nobody is silent.
   */
  async reachSilent(isEnough: () => boolean): Promise<void> {
    if (isEnough() || !(this.#reaching ?? this.#greeter.isSomebodySilent)) return;
    this.#reaching ??= this.#greeter
      .pursue((server, attempt) => this.#takeLate(server, attempt))
      .finally(() => (this.#reaching = null));
    const enough = Promise.withResolvers<void>();
    const look = (): void => void (isEnough() && enough.resolve());
    this.#lookouts.add(look);
    await Promise.race([this.#reaching, enough.promise]);
    this.#lookouts.delete(look);
  }

  async #takeLate(server: ServerAddress, attempt: Attempt): Promise<void> {
    if (isRefusal(attempt)) return this.#noteRefusal(server, attempt.error);
    if (!attempt.greeted) return;
    const { sid } = attempt.greeted.greeting;
    if (this.welcome) this.#unmet.add(sid);
    const one = this.#take(server, attempt, []);
    if (!one) return;
    this.greeted.push(one);
    await this.welcome?.(one);
    this.#unmet.delete(sid);
    this.#arrivals++;
    for (const look of this.#lookouts) look();
  }

  /** What this computer remembers; nothing where there is none. */
  get memory(): ClusterMemory | undefined {
    return this.#options.memory;
  }

  /** Does any server let this user keep the cluster? Then the others will too, once they know. */
  get isOperator(): boolean {
    return [...this.#bySid.values()].some(({ loggedIn }) => loggedIn?.isOperator ?? true);
  }

  /** Has any server taken the password of this user? */
  get isLoggedIn(): boolean {
    return [...this.#bySid.values()].some(({ loggedIn }) => loggedIn !== null);
  }

  /** Do all servers that have taken the password know this user by a signature? */
  get isSigned(): boolean {
    const logins = [...this.#bySid.values()].flatMap(({ loggedIn }) => loggedIn ?? []);
    return logins.length > 0 && logins.every(({ by }) => by === "signature");
  }

  /** What these servers say of themselves now, those that answer. */
  async greetingsOf(peers: readonly Peer[]): Promise<ReplyOf<"hello">[]> {
    const all = await Promise.all(
      peers.map(async (peer) => {
        try {
          return await peer.hello();
        } catch (error) {
          if (!isDfsError(error)) throw error;
          return [];
        }
      }),
    );
    return all.flat();
  }

  /**
   * Connects to the members of a configuration that dfc.conf did not lead to; tells of those that answer, and goes on without slow ones
   * where there are enough to read. One that refuses is named.
   */
  async reach(config: Config): Promise<Greeted[]> {
    const members = membersOf(config);
    const isThere = (slot: number): boolean => {
      const sid = config.seats[slot]?.sid ?? null;
      return sid !== null && this.ofSid(sid) !== null;
    };
    const isEnough = (): boolean => canRead(quorumOf(config), members.filter(isThere));
    const missing = members
      .filter((slot) => !isThere(slot))
      .flatMap((slot) => config.seats[slot] ?? [])
      .filter((seat) => seat.sid !== null && !this.#greeter.hasTried(seat));
    const greeted: Greeted[] = [];
    await this.#greeter.trySeveral(missing, isEnough, (seat, attempt) => {
      if (isRefusal(attempt)) {
        const { message } = attempt.error;
        const isPlain = message === INVALID_LOGIN;
        const line = isPlain ? `${seat.name} (${writtenAddress(seat)}): ${message}` : message;
        throw new DfsError("login", line);
      }
      const one = this.#take(seat, attempt, []);
      if (one) greeted.push(one);
    });
    this.greeted.push(
      ...greeted.filter(({ peer }) => this.greeted.every((one) => one.peer !== peer)),
    );
    return greeted;
  }

  /** The connection to the server with this id, if there is one, and it counts. */
  ofSid(sid: string): Peer | null {
    return this.#out.has(sid) || this.#unmet.has(sid) ? null : this.connectedTo(sid);
  }

  /** The same of one that does not count, or not yet: to be met. */
  connectedTo(sid: string): Peer | null {
    const peer = this.#bySid.get(sid);
    return peer && !peer.isDown ? peer : null;
  }

  /** Why a server that answers does not count; null: it does, or does not answer. */
  whyOut(sid: string): Left | null {
    return this.#out.get(sid) ?? null;
  }

  /** Says whether a server counts for whoever uses these connections; null: it does. One that was put back never does again. */
  judge(sid: string, why: Left | null): void {
    const before = this.#out.get(sid);
    if (before?.is === "putBack" || before?.is === why?.is) return;
    if (why) this.#out.set(sid, why);
    else this.#out.delete(sid);
    this.verdicts++;
  }

  /** What people call a server: the name that dfc.conf gives it, or its address, else the one it has in the cluster. */
  labelOf(seat: Seat): string {
    const peer = seat.sid === null ? undefined : this.#bySid.get(seat.sid);
    const listed = this.#servers.find((server) => addressText(server) === addressText(seat));
    return peer?.address.name ?? listed?.name ?? seat.name;
  }

  /** Bytes on the wire so far, over all servers. */
  get traffic(): { sent: number; received: number } {
    const sum = { sent: 0, received: 0 };
    for (const { traffic } of this.#bySid.values()) {
      sum.sent += traffic.sent;
      sum.received += traffic.received;
    }
    return sum;
  }

  close(): void {
    this.#greeter.close();
    for (const peer of this.#bySid.values()) peer.close();
  }
}

/** What may be wrong with one server that refuses what others take. */
const ALONE =
  "(Others take this password: either a change of it was cut short, and dfs-tool user passwd goes on with it when told the same two; or its file of users is older than theirs; or this is not the right server.)";

const isRefusal = (attempt: Attempt): attempt is Attempt & { greeted: null } =>
  !attempt.greeted && attempt.error.code === "login";
