/**
 * All connections of one client, by the id that each server says it has: to the servers in
 * dfc.conf, and to those that the cluster itself names. Used by cluster, and where a cluster is
 * opened.
 */
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
import type { Exclusion } from "../trust/lives.ts";
import { canRead, groupOf, quorumOf } from "../../quorum.ts";
import { addressText, type ConnectAttempt, Greeter, type Greeted } from "./greeter.ts";
import type { ClusterMemory } from "../trust/memory.ts";
import { isRefusal, Refusals } from "./refusals.ts";
import { configIn } from "./view.ts";

export interface OpenOptions extends PeerOptions {
  /** Whose names and files are used. The empty one is nobody's. */
  readonly user: string;
  /** Gives a line to the user, such as that a server is lost. */
  readonly warn: (line: string) => void;
  /** Left out: nothing is remembered. */
  readonly memory?: ClusterMemory | undefined;
}

export class Connections {
  readonly #options: OpenOptions;
  readonly #servers: readonly ServerAddress[];
  readonly #greeter: Greeter;
  readonly #bySid = new Map<string, Peer>();
  /** Servers that do not count, and why. One that runs on a copy may count later. */
  readonly #excluded = new Map<string, Exclusion>();
  /** Servers that came late, and were not met yet. */
  readonly #unmet = new Set<string>();
  /** All servers that answered: those of dfc.conf in its order, then those the cluster led to. */
  readonly greeted: Greeted[] = [];
  /** How many servers were silent at first, and have answered since. */
  #arrivals = 0;
  /** How often a server began or ceased to count. */
  exclusionChanges = 0;
  /** Refusals of the password that were not reported yet. */
  readonly #refusals = new Refusals();
  #reaching: Promise<void> | null = null;
  readonly #waiters = new Set<() => void>();
  /** Meets a server that comes late, before it is asked anything. */
  onLateServer: ((greeted: Greeted) => Promise<void>) | null = null;

  /** `servers` are those of dfc.conf. */
  constructor(ports: ClientPorts, servers: readonly ServerAddress[], options: OpenOptions) {
    this.#servers = servers;
    this.#options = options;
    this.#greeter = new Greeter(ports, options);
  }

  /** How long a server has for its first answer. */
  get patienceMs(): number {
    return this.#greeter.patienceMs;
  }

  /** How many servers were silent at first, and have answered since. */
  get arrivals(): number {
    return this.#arrivals;
  }

  /**
   * Connects to all servers of dfc.conf. Where some are slow, it goes on once enough to read have
   * answered. Where those that answer cannot tell who the servers are, it waits for silent ones.
   * `failures` says why the others did not answer. Throws DfsError("login") where any server
   * refuses the password.
   */
  async greetAll(): Promise<{ greeted: Greeted[]; failures: string[] }> {
    const failures: string[] = [];
    await this.#greeter.trySeveral(
      this.#servers,
      () => this.#canRead(this.greeted),
      (server, attempt) => {
        if (isRefusal(attempt)) return this.#refusals.note(server, attempt.error);
        const admitted = this.#admit(server, attempt, failures);
        if (admitted) this.greeted.push(admitted);
      },
    );
    const isTold = (): boolean => configIn(this.greeted) !== null || this.#canRead(this.greeted);
    if (this.#refusals.isEmpty) await this.reachSilent(isTold);
    this.#refusals.check(this.greeted.length);
    this.#warnOfOpen();
    const places = new Map(this.#servers.map((server, i) => [server, i]));
    const placeOf = ({ peer }: Greeted): number => places.get(peer.address) ?? 0;
    this.greeted.sort((a, b) => placeOf(a) - placeOf(b));
    return { greeted: [...this.greeted], failures };
  }

  /** Are these servers enough to read; or, where there is no cluster yet, to found one? */
  #canRead(greeted: readonly Greeted[]): boolean {
    const config = configIn(greeted);
    if (!config) return greeted.length >= groupOf([...this.#servers.keys()]).accept;
    const slots = greeted.map(({ greeting }) => slotOf(config, greeting.sid));
    return canRead(quorumOf(config), slots);
  }

  /** A server that was started without its file of users lets everybody in. */
  #warnOfOpen(): void {
    if (!this.isLoggedIn) return;
    for (const { peer } of this.greeted)
      if (!peer.loggedIn)
        this.#options.warn(
          `${peer.label} knows no users, as the others do: whoever reaches it can change what it holds; give it their file of users`,
        );
  }

  /**
   * Connects to one server. Returns null when it does not answer; `failures` then says why. Throws
   * DfsError("login").
   */
  async greet(server: ServerAddress, failures: string[] = []): Promise<Greeted | null> {
    const attempt = await this.#greeter.tryOnce(server);
    if (isRefusal(attempt)) throw attempt.error;
    return this.#admit(server, attempt, failures);
  }

  /**
   * Takes up a server that answered, so that it can be asked from now on. null: it did not answer.
   */
  #admit(server: ServerAddress, attempt: ConnectAttempt, failures: string[]): Greeted | null {
    if (!attempt.greeted) {
      // One server that answers with an error must not keep people from the others.
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
   * Has servers that were silent at first tried again, until `isEnough()` or for some seconds.
   * Those that are still silent then are down. Servers that refuse are not tried again. Returns at
   * once where it is enough already, or where no server is silent.
   */
  async reachSilent(isEnough: () => boolean): Promise<void> {
    if (isEnough() || !(this.#reaching ?? this.#greeter.isSomebodySilent)) return;
    this.#reaching ??= this.#greeter
      .retrySilent((server, attempt) => this.#admitLate(server, attempt))
      .finally(() => (this.#reaching = null));
    const enough = Promise.withResolvers<void>();
    const check = (): void => void (isEnough() && enough.resolve());
    this.#waiters.add(check);
    await Promise.race([this.#reaching, enough.promise]);
    this.#waiters.delete(check);
  }

  async #admitLate(server: ServerAddress, attempt: ConnectAttempt): Promise<void> {
    if (isRefusal(attempt)) return this.#refusals.note(server, attempt.error);
    if (!attempt.greeted) return;
    const { sid } = attempt.greeted.greeting;
    if (this.onLateServer) this.#unmet.add(sid);
    const admitted = this.#admit(server, attempt, []);
    if (!admitted) return;
    this.greeted.push(admitted);
    await this.onLateServer?.(admitted);
    this.#unmet.delete(sid);
    this.#arrivals++;
    for (const check of this.#waiters) check();
  }

  /** What this computer remembers; undefined where nothing is remembered. */
  get memory(): ClusterMemory | undefined {
    return this.#options.memory;
  }

  /**
   * Does any server say that this user is an operator? Then the others will too, once they know.
   */
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

  /** Asks these servers what they say of themselves now, and returns the answers. */
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
   * Connects to the members of a configuration that dfc.conf did not lead to, and returns those
   * that answer. It goes on without slow ones once there are enough to read. Throws
   * DfsError("login") that names a server which refuses the password.
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
      const admitted = this.#admit(seat, attempt, []);
      if (admitted) greeted.push(admitted);
    });
    this.greeted.push(
      ...greeted.filter(({ peer }) => this.greeted.every((one) => one.peer !== peer)),
    );
    return greeted;
  }

  /** The connection to the server with this id, if there is one and the server counts. */
  ofSid(sid: string): Peer | null {
    return this.#excluded.has(sid) || this.#unmet.has(sid) ? null : this.connectedTo(sid);
  }

  /** The same, even of a server that does not count, or not yet: to meet it. */
  connectedTo(sid: string): Peer | null {
    const peer = this.#bySid.get(sid);
    return peer && !peer.isDown ? peer : null;
  }

  /** Why a server that answers does not count. null: it counts, or it does not answer. */
  exclusionOf(sid: string): Exclusion | null {
    return this.#excluded.get(sid) ?? null;
  }

  /** Notes why a server does not count; null: it counts. One that was put back never will again. */
  setExclusion(sid: string, why: Exclusion | null): void {
    const before = this.#excluded.get(sid);
    if (before?.is === "putBack" || before?.is === why?.is) return;
    if (why) this.#excluded.set(sid, why);
    else this.#excluded.delete(sid);
    this.exclusionChanges++;
  }

  /**
   * The name of a server for people: the name that dfc.conf gives it, or else the one it has in the
   * cluster.
   */
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
