/**
 * The first exchange of a connection: the client's hello, and the checks that each side makes. Used
 * by session.ts and the client's peer.ts.
 */
import { DfsError } from "../errors.ts";
import type { ReplyOf, RequestOf } from "./messages.ts";

/** "DFS", and a byte that no text begins with. */
const MAGIC = 0x444653_f5;
export const PROTOCOL_VERSION = 4;

/** The client's first request. */
export const HELLO: RequestOf<"hello"> = { magic: MAGIC, version: PROTOCOL_VERSION, user: "" };

/**
 * Is this host, as it is written, always this machine? Only to such a host may a password go
 * without TLS.
 */
export const isLoopback = (host: string): boolean =>
  /^(?:localhost|127\.\d+\.\d+\.\d+|::1)$/i.test(host);

/** Throws DfsError("protocol") unless this server can answer this hello. */
export function checkHello(hello: Pick<RequestOf<"hello">, "magic" | "version">): void {
  if (hello.magic !== MAGIC)
    throw new DfsError("protocol", "this is a dfs-tool server; the peer is no dfs-tool client");
  if (hello.version < PROTOCOL_VERSION)
    throw new DfsError(
      "protocol",
      `protocol ${hello.version} is too old for this server: upgrade the client`,
    );
}

/** Throws DfsError("protocol") unless this server speaks the client's protocol. */
export function checkGreeting(server: string, reply: ReplyOf<"hello">): void {
  if (reply.version !== PROTOCOL_VERSION)
    throw new DfsError(
      "protocol",
      `${server} speaks protocol ${reply.version}, this client ${PROTOCOL_VERSION}`,
    );
}
