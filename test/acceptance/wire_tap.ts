/** A plain relay in front of a server, that keeps all that goes either way. */
import { connect, createServer, type Server, type Socket } from "node:net";

export class WireTap {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #heard: Buffer[][] = [];
  readonly name: string;

  private constructor(name: string, port: number) {
    this.name = name;
    this.#server = createServer((client) => {
      const server = connect(port, "127.0.0.1");
      this.#pass(client, server);
      this.#pass(server, client);
    });
  }

  /** Opens one that is called as the server is. */
  static async before({ name, port }: { name: string; port: number }): Promise<WireTap> {
    const tap = new WireTap(name, port);
    await new Promise<void>((resolve) => void tap.#server.listen(0, "127.0.0.1", resolve));
    return tap;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the tap has no port");
    return address.port;
  }

  /** What each direction of each connection carried, in order. */
  get heard(): Buffer[] {
    return this.#heard.map((parts) => Buffer.concat(parts));
  }

  #pass(from: Socket, to: Socket): void {
    const parts: Buffer[] = [];
    this.#heard.push(parts);
    this.#sockets.add(from);
    from.on("data", (bytes: Buffer) => {
      parts.push(bytes);
      if (!to.write(bytes)) from.pause();
    });
    to.on("drain", () => from.resume());
    from.on("end", () => to.end());
    from.on("error", () => to.destroy());
    from.on("close", () => this.#sockets.delete(from));
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}
