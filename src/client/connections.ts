/** Connections to servers, by the id that each says it has: those that dfc.conf names, and those that the cluster itself names. */
import { DfsError, INVALID_LOGIN, isDfsError } from "../errors.ts";
import { type Config, membersOf, type Seat, slotOf } from "../membership.ts";
import type { ReplyOf } from "../wire/messages.ts";
import type { ClientPorts } from "./cluster.ts";
import { canRead, groupOf, quorumOf } from "./decide.ts";
import { addressText, type Attempt, Greeter, type Greeted } from "./greeter.ts";
import type { ClusterMemory } from "./memory.ts";
import type { Peer, PeerOptions, ServerAddress } from "./peer.ts";
import { vouched } from "./view.ts";

export { addressText, type Greeted } from "./greeter.ts";

export interface OpenOptions extends PeerOptions {
  /** Whose names and files; the empty one is nobody's. */
  readonly user: string;
  /** Takes a line for the user, such as that a server is lost. */
  readonly warn: (line: string) => void;
  /** Nothing is remembered where there is none. */
  readonly memory?: ClusterMemory | undefined;
}

export class Connections {
  readonly #options: OpenOptions;
  readonly #servers: readonly ServerAddress[];
  readonly #greeter: Greeter;
  readonly #bySid = new Map<string, Peer>();
  /** Those that were silent at first, and have answered since. */
  readonly #late: Greeted[] = [];
  /** Refusals of the password that nothing was made of yet. */
  readonly #refused: string[] = [];
  #reaching: Promise<void> | null = null;
  readonly #lookouts = new Set<() => void>();
  /** What a server is told that comes late, before it is asked anything. */
  welcome: (greeted: Greeted) => Promise<void> = async () => {};

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
    return this.#late.length;
  }

  /**
   * Connects to all servers of dfc.conf; goes on with as many as it takes to read where others are slow, and waits for silent ones where
   * those that answer cannot tell who the servers are. `failures` says of the others why not. Throws DfsError("login") where any refuses
   * the password.
   */
  async greetAll(): Promise<{ greeted: Greeted[]; failures: string[] }> {
    const failures: string[] = [];
    const greeted: Greeted[] = [];
    const all = (): Greeted[] => [...greeted, ...this.#late];
    await this.#greeter.trySeveral(
      this.#servers,
      () => this.#canRead(greeted),
      (server, attempt) => {
        if (isRefusal(attempt)) return this.#noteRefusal(server, attempt.error);
        const one = this.#take(server, attempt, failures);
        if (one) greeted.push(one);
      },
    );
    const isTold = (): boolean => configIn(all()) !== null || this.#canRead(all());
    if (this.#refused.length === 0) await this.reachSilent(isTold);
    this.#checkRefusals(all());
    this.#warnOfOpen(all());
    const places = new Map(this.#servers.map((server, i) => [server, i]));
    const placeOf = ({ peer }: Greeted): number => places.get(peer.address) ?? 0;
    return { greeted: all().toSorted((a, b) => placeOf(a) - placeOf(b)), failures };
  }

  #noteRefusal({ name }: ServerAddress, { message }: DfsError): void {
    this.#refused.push(message === INVALID_LOGIN ? `${name}: ${INVALID_LOGIN}` : message);
  }

  #checkRefusals(greeted: readonly Greeted[]): void {
    const [first] = this.#refused;
    if (first === undefined) return;
    // Where all say the same it is the password; one that stands alone may be somebody in between.
    const isAlike = this.#refused.every((line) => line.endsWith(INVALID_LOGIN));
    if (isAlike && greeted.length === 0) throw new DfsError("login", INVALID_LOGIN);
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
  #warnOfOpen(greeted: readonly Greeted[]): void {
    if (!this.isLoggedIn) return;
    for (const { peer } of greeted)
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
    const known = this.ofSid(greeting.sid);
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
    await this.welcome(attempt.greeted);
    const one = this.#take(server, attempt, []);
    if (!one) return;
    this.#late.push(one);
    for (const look of this.#lookouts) look();
  }

  /** Does any server let this user keep the cluster? Then the others will too, once they know. */
  get isOperator(): boolean {
    return [...this.#bySid.values()].some(({ loggedIn }) => loggedIn?.isOperator ?? true);
  }

  /** Has any server taken the password of this user? */
  get isLoggedIn(): boolean {
    return [...this.#bySid.values()].some(({ loggedIn }) => loggedIn !== null);
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
        const line = isPlain ? `${seat.name} (${addressText(seat)}): ${message}` : message;
        throw new DfsError("login", line);
      }
      const one = this.#take(seat, attempt, []);
      if (one) greeted.push(one);
    });
    return greeted;
  }

  /** The connection to the server with this id, if there is one. */
  ofSid(sid: string): Peer | null {
    const peer = this.#bySid.get(sid);
    return peer && !peer.isDown ? peer : null;
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
  "(Others take this password: either a change of it was cut short, and dfs-tool user passwd goes on with it when told the same two, or this is not the right server.)";

/** Has members of a configuration join the cluster with this id that are still blank, for INIT did not reach them. */
export async function joinBlank(
  id: string,
  config: Config,
  greeted: readonly Greeted[],
): Promise<void> {
  const members = membersOf(config).map((slot) => config.seats[slot]?.sid);
  for (const { peer, greeting } of greeted)
    if (greeting.cluster === null && members.includes(greeting.sid))
      await peer.init(id).catch((error: unknown) => {
        if (!isDfsError(error)) throw error;
      });
}

const isRefusal = (attempt: Attempt): attempt is Attempt & { greeted: null } =>
  !attempt.greeted && attempt.error.code === "login";

/** The configuration that these servers tell of; null: none. */
const configIn = (greeted: readonly Greeted[]): Config | null =>
  vouched(greeted.map(({ greeting }) => greeting));
