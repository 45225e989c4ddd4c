/** Somebody with a program of their own: a user who sends servers what no client would, and a server whose answers are not its own. */
import { Peer } from "../../src/client/connect/peer.ts";
import { bunClock, bunNet, bunRandom } from "../../src/io/bun.ts";
import type { Conn, Listener } from "../../src/io/ports.ts";
import { stretch } from "../../src/io/stretch.ts";
import { requestIdOf } from "../../src/membership.ts";
import type { AddressedKind, BodyOf, Kind, ReplyOf } from "../../src/wire/messages.ts";
import { credentialsOf } from "../../src/wire/login.ts";
import { LyingConn } from "../sim/lying_conn.ts";
import type { ServerProcess } from "../harness/stage.ts";

const HOST = "127.0.0.1";
const CONNECT_MS = 5000;
const ports = { clock: bunClock, net: bunNet, random: bunRandom };

export class Attacker {
  readonly #user: string;
  readonly #password: string;

  /** A user, whose password servers take. */
  constructor(user: string, password: string) {
    this.#user = user;
    this.#password = password;
  }

  /** Asks each of these servers one thing after the other, and returns what they answer; throws what any of them does. */
  async ask<K extends AddressedKind>(
    servers: readonly ServerProcess[],
    kind: K,
    bodyFor: (i: number) => BodyOf<K>,
    times = 1,
  ): Promise<ReplyOf<K>[]> {
    const { login: secret } = await stretch(this.#user, this.#password);
    const credentials = [Promise.resolve(credentialsOf(this.#user, secret))];
    const login = { credentials, offersScram: true };
    const replies: ReplyOf<K>[] = [];
    for (const { name, port } of servers) {
      const { peer, greeting } = await Peer.connect(ports, { name, host: HOST, port }, { login });
      const { cluster, config } = greeting;
      const id = config && cluster ? requestIdOf(config, cluster) : "";
      const of = { cluster: id, epoch: config?.epoch ?? 0, user: this.#user };
      try {
        for (let i = 0; i < times; i++) replies.push(await peer.call(kind, bodyFor(i), of));
      } finally {
        peer.close();
      }
    }
    return replies;
  }
}

/** What a liar makes of an answer. */
type Lie = <K extends Kind>(kind: K, told: ReplyOf<K>) => ReplyOf<K>;

/** Stands before a genuine server, in its keeper's name, and changes what it answers. */
export class LyingServer {
  readonly name: string;
  readonly #listener: Listener;

  private constructor(name: string, listener: Listener) {
    this.name = name;
    this.#listener = listener;
  }

  static async before({ name, port }: ServerProcess, lie: Lie): Promise<LyingServer> {
    const between = async (client: Conn): Promise<void> => {
      const server = await bunNet.connect(HOST, port, CONNECT_MS, false);
      const lying = new LyingConn(server, { answer: lie });
      await Promise.all([pass(client, lying), pass(lying, client)]);
    };
    return new LyingServer(name, await bunNet.listen(HOST, 0, (conn) => void between(conn), null));
  }

  get port(): number {
    return this.#listener.port;
  }

  close(): void {
    this.#listener.close();
  }
}

async function pass(from: Conn, to: Conn): Promise<void> {
  try {
    for (let bytes = await from.read(); bytes; bytes = await from.read())
      await to.write(bytes.slice());
  } catch {
    // Who is not there any more gets nothing more.
  }
  to.close();
}
