/** Connections to servers, by the id that each says it has: those that dfc.conf names, and those that the cluster itself names. */
import { isDfsError } from "../errors.ts";
import type { Seat } from "../membership.ts";
import type { ReplyOf } from "../wire/messages.ts";
import type { ClientPorts } from "./cluster.ts";
import { Peer, type ServerAddress } from "./peer.ts";

export interface OpenOptions {
  readonly user: string;
  /** Takes a line for the user, such as that a server is lost. */
  readonly warn: (line: string) => void;
  /** How long a server has to answer at first; a second where nothing is said. */
  readonly patienceMs?: number | undefined;
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

  /** Connects to all servers of dfc.conf; `failures` says of the others why not. In the order of dfc.conf. */
  async greetAll(): Promise<{ greeted: Greeted[]; failures: string[] }> {
    const failures: string[] = [];
    const all = await Promise.all(this.#servers.map((server) => this.greet(server, failures)));
    return { greeted: all.filter((one) => one !== null), failures };
  }

  /** Connects to one server; null when it does not answer, and `failures` then says why. Throws DfsError("login"). */
  async greet(server: ServerAddress, failures: string[] = []): Promise<Greeted | null> {
    const { user, patienceMs, warn } = this.#options;
    const address = addressText(server);
    try {
      const { peer, greeting } = await Peer.connect(this.#ports, server, user, patienceMs);
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

  /** Connects to those of these servers that dfc.conf did not lead to; tells of those that answer. */
  async reach(seats: readonly Seat[]): Promise<Greeted[]> {
    const missing = seats.filter(
      (seat) => seat.sid !== null && !this.ofSid(seat.sid) && !this.#silent.has(addressText(seat)),
    );
    const all = await Promise.all(missing.map((seat) => this.greet(seat)));
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

/** An address as text; "localhost" is what it mostly is. */
export const addressText = ({ host, port }: Pick<ServerAddress, "host" | "port">): string =>
  `${host.toLowerCase().replace(/^localhost$/, "127.0.0.1")}:${port}`;
