/** How the parts of the net's contract come by connections. */
import type { Conn, Listener } from "../../src/io/ports.ts";
import type { PortsUnderTest } from "./harness.ts";

export const CONNECT_MS = 20_000;

/** The two ends of one connection. */
export interface Pair {
  readonly client: Conn;
  readonly server: Conn;
  readonly listener: Listener;
}

/** Listens on a free port, or on this one, with TLS or without, as the harness has it. */
export const listen = (
  { serverNet, certificate }: PortsUnderTest,
  accept: (conn: Conn) => void,
  port = 0,
): Promise<Listener> => serverNet.listen("127.0.0.1", port, accept, certificate);

/** Opens a connection to it, with TLS or without. */
export const connect = (
  { clientNet, host, certificate }: PortsUnderTest,
  { port }: Listener,
): Promise<Conn> => clientNet.connect(host, port, CONNECT_MS, certificate !== null);

/** Opens one. */
export async function connected(ports: PortsUnderTest): Promise<Pair> {
  const { promise, resolve } = Promise.withResolvers<Conn>();
  const listener = await listen(ports, resolve);
  const client = await connect(ports, listener);
  return { client, server: await promise, listener };
}

/** Closes what a test opened, so that a real run leaves nothing behind. */
export function closeAll({ client, server, listener }: Pair): void {
  client.close();
  server.close();
  listener.close();
}
