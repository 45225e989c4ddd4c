/**
 * Makes all connections of one client: to the servers in dfc.conf, and to those that the cluster
 * itself names. One that breaks is made anew when somebody uses the cluster. Used by cluster, and
 * where a cluster is opened.
 */
import { DfsError, INVALID_LOGIN } from "../../errors.ts";
import {
  type Config,
  membersOf,
  type Seat,
  type ServerAddress,
  slotOf,
  writtenAddress,
} from "../../membership.ts";
import type { ClientPorts, PeerOptions } from "./peer.ts";
import { canRead, groupOf, quorumOf } from "../../quorum.ts";
import { addressText, type ConnectAttempt, Greeter, type Greeted } from "./greeter.ts";
import type { ClusterMemory } from "../trust/memory.ts";
import { Roster } from "./living/roster.ts";
import { Reconnector } from "./living/reconnector.ts";
import { seldom } from "./living/seldom.ts";
import { isRefusal, Refusals, warnOfOpen } from "./refusals.ts";
import { configIn } from "./view.ts";

export interface OpenOptions extends PeerOptions {
  /** Whose names and files are used. The empty one is nobody's. */
  readonly user: string;
  /** Gives a line to the user, such as that a server is lost. */
  readonly warn: (line: string) => void;
  /** Left out: nothing is remembered. */
  readonly memory?: ClusterMemory | undefined;
}

export class Connections extends Roster {
  readonly #options: OpenOptions;
  readonly #servers: readonly ServerAddress[];
  readonly #greeter: Greeter;
  readonly #reconnector: Reconnector;
  readonly #warn: (line: string) => void;
  /** How many servers that were silent, or lost, have answered since. */
  #arrivals = 0;
  /** Refusals of the password that were not reported yet. */
  readonly #refusals = new Refusals();
  #reaching: Promise<void> | null = null;
  readonly #waiters = new Set<() => void>();
  #isClosed = false;
  /** Meets a server that comes late, before it is asked anything. */
  onLateServer: ((greeted: Greeted) => Promise<void>) | null = null;

  /** `servers` are those of dfc.conf. */
  constructor(ports: ClientPorts, servers: readonly ServerAddress[], options: OpenOptions) {
    super();
    this.#servers = servers;
    this.#options = options;
    this.#warn = seldom(ports.clock, options.warn);
    this.#greeter = new Greeter(ports, options);
    this.#reconnector = new Reconnector(ports.clock, this.#greeter, {
      isUp: (sid) => this.isUp(sid),
      hungAt: (sid) => this.latest(sid)?.pulse.hungAt ?? -Infinity,
      addressesOf: (seat) => this.#addressesOf(seat),
      admitLate: (...late) => this.#admitLate(...late),
    });
  }

  /** How long a server has for its first answer. */
  get patienceMs(): number {
    return this.#greeter.patienceMs;
  }

  /** How many servers that were silent, or lost, have answered since. */
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
    if (this.isLoggedIn) warnOfOpen(this.greeted, this.#warn);
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
      if (code !== "down") this.#warn(`${server.name}: ${message}; it does not count`);
      failures.push(message);
      return null;
    }
    const { peer, greeting } = attempt.greeted;
    const known = this.connectedTo(greeting.sid);
    if (known && addressText(known.address) === addressText(server)) {
      peer.close();
      return { peer: known, greeting };
    }
    if (!known) this.setPeer(greeting.sid, peer);
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
    await this.#untilEnough(this.#reaching, isEnough);
  }

  /** Waits for this work, until `isEnough()`. */
  async #untilEnough(work: Promise<void>, isEnough: () => boolean): Promise<void> {
    const enough = Promise.withResolvers<void>();
    const check = (): void => void (isEnough() && enough.resolve());
    this.#waiters.add(check);
    await Promise.race([work, enough.promise]).finally(() => this.#waiters.delete(check));
  }

  /**
   * Takes up a server that was silent, or whose connection broke, as at first: it is met before it
   * is asked. With `wanted`, any other server than the one with this id is of no use.
   */
  async #admitLate(
    server: ServerAddress,
    attempt: ConnectAttempt,
    wanted: string | null = null,
  ): Promise<void> {
    if (wanted === null && isRefusal(attempt)) return this.#refusals.note(server, attempt.error);
    if (!attempt.greeted) return void this.#admit(server, attempt, []);
    const { peer, greeting } = attempt.greeted;
    const { sid } = greeting;
    if (this.#isClosed || this.isUp(sid) || sid !== (wanted ?? sid)) return peer.close();
    this.replace(attempt.greeted, this.onLateServer !== null);
    if (this.isLoggedIn) warnOfOpen([attempt.greeted], this.#warn);
    try {
      await this.onLateServer?.(attempt.greeted);
    } catch (error) {
      peer.close();
      throw error;
    } finally {
      this.noteMet(sid);
    }
    this.#arrivals++;
    for (const check of this.#waiters) check();
  }

  /**
   * Has servers that are down tried again, where their next try is due. Where it is not enough
   * without them, it waits for those tries, until `isEnough()`.
   */
  async comeBack(seats: readonly Seat[], isEnough: () => boolean): Promise<void> {
    if (this.#isClosed) return;
    if (!this.#reaching) this.#reconnector.start(seats, false);
    if (isEnough()) return;
    if (!this.#reaching) this.#reconnector.start(seats, true);
    await this.#untilEnough(this.#reaching ?? this.#reconnector.ended(), isEnough);
  }

  /** Where a server may be: where it was, where the configuration has it, where dfc.conf does. */
  #addressesOf(seat: Seat): ServerAddress[] {
    const last = this.latest(seat.sid ?? "")?.address ?? seat;
    const listed = this.#servers.filter(({ name }) => name === seat.name);
    return [...new Map([last, seat, ...listed].map((at) => [addressText(at), at])).values()];
  }

  /** What this computer remembers; undefined where nothing is remembered. */
  get memory(): ClusterMemory | undefined {
    return this.#options.memory;
  }

  /**
   * Does any server say that this user is an operator? Then the others will too, once they know.
   */
  get isOperator(): boolean {
    return this.peers.some(({ loggedIn }) => loggedIn?.isOperator ?? true);
  }

  /** Has any server taken the password of this user? */
  get isLoggedIn(): boolean {
    return this.peers.some(({ loggedIn }) => loggedIn !== null);
  }

  /** Do all servers that have taken the password know this user by a signature? */
  get isSigned(): boolean {
    const logins = this.peers.flatMap(({ loggedIn }) => loggedIn ?? []);
    return logins.length > 0 && logins.every(({ by }) => by === "signature");
  }

  /**
   * Connects to the members of a configuration that dfc.conf did not lead to, and returns those
   * that answer. It goes on without slow ones once there are enough to read. Throws
   * DfsError("login") that names a server which refuses the password.
   */
  async reach(config: Config): Promise<Greeted[]> {
    this.#greeter.forgetOthers([...this.#servers, ...config.seats]);
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

  /**
   * The name of a server for people: the name that dfc.conf gives it, or else the one it has in the
   * cluster.
   */
  labelOf(seat: Seat): string {
    const peer = seat.sid === null ? undefined : this.latest(seat.sid);
    const listed = this.#servers.find((server) => addressText(server) === addressText(seat));
    return peer?.address.name ?? listed?.name ?? seat.name;
  }

  close(): void {
    this.#isClosed = true;
    this.#greeter.close();
    for (const peer of this.peers) peer.close();
  }
}
