/** Connections to servers, by the id that each says it has: those that dfc.conf names, and those that the cluster itself names. */
import { DfsError, INVALID_LOGIN, isDfsError } from "../errors.ts";
import type { Seat } from "../membership.ts";
import type { ReplyOf } from "../wire/messages.ts";
import type { ClientPorts } from "./cluster.ts";
import type { ClusterMemory } from "./memory.ts";
import { Peer, type PeerOptions, type ServerAddress } from "./peer.ts";

export interface OpenOptions extends PeerOptions {
  /** Whose names and files; the empty one is nobody's. */
  readonly user: string;
  /** Takes a line for the user, such as that a server is lost. */
  readonly warn: (line: string) => void;
  /** Nothing is remembered where there is none. */
  readonly memory?: ClusterMemory | undefined;
}

/** A server that answered, and what it said of itself. */
export interface Greeted {
  readonly peer: Peer;
  readonly greeting: ReplyOf<"hello">;
}

export class Connections {
  readonly #ports: ClientPorts;
  readonly #options: OpenOptions;
  readonly #servers: readonly ServerAddress[];
  readonly #bySid = new Map<string, Peer>();
  /** Addresses where nobody answered, "host:port". */
  readonly #silent = new Set<string>();

  /** `servers` are those of dfc.conf. */
  constructor(ports: ClientPorts, servers: readonly ServerAddress[], options: OpenOptions) {
    this.#ports = ports;
    this.#servers = servers;
    this.#options = options;
  }

  /** Connects to all servers of dfc.conf, in its order; `failures` says of the others why not. Throws DfsError("login") where any refuses the password. */
  async greetAll(): Promise<{ greeted: Greeted[]; failures: string[] }> {
    const failures: string[] = [];
    const refused: string[] = [];
    const all = await Promise.all(
      this.#servers.map((server) =>
        this.greet(server, failures).catch((error: unknown) => {
          if (!isDfsError(error, "login")) throw error;
          refused.push(
            error.message === INVALID_LOGIN ? `${server.name}: ${INVALID_LOGIN}` : error.message,
          );
          return null;
        }),
      ),
    );
    const greeted = all.filter((one) => one !== null);
    const [first] = refused;
    if (first === undefined) {
      this.#warnOfOpen(greeted);
      return { greeted, failures };
    }
    // Where all say the same it is the password; one that stands alone may be somebody in between.
    const isAlike = refused.every((line) => line.endsWith(INVALID_LOGIN));
    if (isAlike && greeted.length === 0) throw new DfsError("login", INVALID_LOGIN);
    throw new DfsError("login", first.endsWith(INVALID_LOGIN) ? `${first} ${ALONE}` : first);
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
    const { warn } = this.#options;
    const address = addressText(server);
    try {
      const { peer, greeting } = await Peer.connect(this.#ports, server, this.#options);
      this.#silent.delete(address);
      const known = this.ofSid(greeting.sid);
      if (known && addressText(known.address) === address) {
        peer.close();
        return { peer: known, greeting };
      }
      if (!known) this.#bySid.set(greeting.sid, peer);
      return { peer, greeting };
    } catch (error) {
      // One server that cannot answer for itself must not keep people from the others.
      if (!isDfsError(error) || error.code === "login") throw error;
      this.#silent.add(address);
      if (error.code !== "down") warn(`${server.name}: ${error.message}; it does not count`);
      failures.push(error.message);
      return null;
    }
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

  /** A server that dfc.conf does not name is named where it refuses. */
  async #greetNamed(seat: Seat): Promise<Greeted | null> {
    try {
      return await this.greet(seat);
    } catch (error) {
      if (!isDfsError(error, "login") || error.message !== INVALID_LOGIN) throw error;
      throw new DfsError("login", `${seat.name} (${addressText(seat)}): ${INVALID_LOGIN}`);
    }
  }

  /** Connects to those of these servers that dfc.conf did not lead to; tells of those that answer. */
  async reach(seats: readonly Seat[]): Promise<Greeted[]> {
    const missing = seats.filter(
      (seat) => seat.sid !== null && !this.ofSid(seat.sid) && !this.#silent.has(addressText(seat)),
    );
    const all = await Promise.all(missing.map((seat) => this.#greetNamed(seat)));
    return all.filter((one) => one !== null);
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
    for (const peer of this.#bySid.values()) peer.close();
  }
}

/** What may be wrong with one server that refuses what others take. */
const ALONE =
  "(Others take this password: either a change of it was cut short, and dfs-tool user passwd goes on with it when told the same two; or its file of users is older than theirs; or this is not the right server.)";

/** An address as text; "localhost" is what it mostly is. */
export const addressText = ({ host, port }: Pick<ServerAddress, "host" | "port">): string =>
  `${host.toLowerCase().replace(/^localhost$/, "127.0.0.1")}:${port}`;
