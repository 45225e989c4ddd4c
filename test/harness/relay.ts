/** A wire between a client and a server that can be held, one way or both: what is sent meanwhile arrives late, or never. */
import { connect, createServer, type Server, type Socket } from "node:net";

export type Way = "out" | "back";

/** One direction of one connection. */
class Flow {
  readonly #to: Socket;
  readonly #held: Buffer[] = [];
  #isHeld: boolean;
  #ended = false;

  constructor(from: Socket, to: Socket, isHeld: boolean) {
    this.#to = to;
    this.#isHeld = isHeld;
    from.on(
      "data",
      (bytes: Buffer) => void (this.#isHeld ? this.#held.push(bytes) : to.write(bytes)),
    );
    from.on("end", () => this.#end());
    from.on("close", () => this.#end());
  }

  hold(): void {
    this.#isHeld = true;
  }

  release(): void {
    this.#isHeld = false;
    for (const bytes of this.#held.splice(0)) this.#to.write(bytes);
    if (this.#ended) this.#to.end();
  }

  #end(): void {
    this.#ended = true;
    if (!this.#isHeld) this.#to.end();
  }
}

export class Relay {
  readonly #server: Server;
  readonly #flows = new Map<Way, Set<Flow>>([
    ["out", new Set()],
    ["back", new Set()],
  ]);
  readonly #sockets = new Set<Socket>();
  readonly #held = new Set<Way>();
  #swallowsUntil = 0;

  private constructor(host: string, port: number) {
    this.#server = createServer({ allowHalfOpen: true }, (client) =>
      this.#join(client, host, port),
    );
  }

  /** Opens one before a server. */
  static async open(host: string, port: number): Promise<Relay> {
    const relay = new Relay(host, port);
    await new Promise<void>((resolve) => void relay.#server.listen(0, "127.0.0.1", resolve));
    return relay;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the relay has no port");
    return address.port;
  }

  #join(client: Socket, host: string, port: number): void {
    if (performance.now() < this.#swallowsUntil) return this.#swallow(client);
    const server = connect({ host, port, allowHalfOpen: true });
    const flows = [
      ["out", new Flow(client, server, this.#held.has("out"))],
      ["back", new Flow(server, client, this.#held.has("back"))],
    ] as const;
    for (const [way, flow] of flows) this.#flows.get(way)?.add(flow);
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on("error", () => socket.destroy());
      socket.on("close", () => {
        this.#sockets.delete(socket);
        if (this.#sockets.has(client) || this.#sockets.has(server)) return;
        for (const [way, flow] of flows) this.#flows.get(way)?.delete(flow);
      });
    }
    // A server that cannot be reached refuses the client too.
    server.on("error", () => client.destroy());
  }

  /** What is said over it never arrives. */
  #swallow(client: Socket): void {
    this.#sockets.add(client);
    client.on("error", () => client.destroy());
    client.on("close", () => this.#sockets.delete(client));
    client.resume();
  }

  /** For so long no new connection comes through: it opens, and that is all. */
  swallow(ms: number): void {
    this.#swallowsUntil = performance.now() + ms;
  }

  hold(way: Way): void {
    this.#held.add(way);
    for (const flow of this.#flows.get(way) ?? []) flow.hold();
  }

  release(): void {
    this.#held.clear();
    for (const flows of this.#flows.values()) for (const flow of flows) flow.release();
  }

  /** Breaks all connections; what was held is lost. */
  snap(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): void {
    this.snap();
    this.#server.close();
  }
}
