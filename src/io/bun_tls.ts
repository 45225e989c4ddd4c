/**
 * TLS on Bun's sockets: version 1.3 only, and no certificate is checked. Instead the password
 * proves both ends, in a login that is bound to the connection (docs/design.md section 6). Used by
 * bun.ts.
 */
import { HANDSHAKE_MS } from "../limits.ts";
import type { BunConn } from "./bun_conn.ts";
import type { Certificate } from "./ports.ts";

/** The only version allowed. Bun takes it as a number that its types do not list. */
const TLS_1_3 = 0x0304;
const VERSIONS = { minVersion: TLS_1_3, maxVersion: TLS_1_3 };

const BINDING_LABEL = "EXPORTER-Channel-Binding";
const BINDING_BYTES = 32;

type Socket = Bun.Socket<BunConn>;

/** The `tls` of a client. */
export const CLIENT_TLS: Bun.TLSOptions = { ...VERSIONS, rejectUnauthorized: false };

/** The `tls` of a server. */
export const serverTls = ({ cert, key }: Certificate): Bun.TLSOptions => ({
  ...VERSIONS,
  cert,
  key,
});

/** The bytes that bind a login to this connection; null if it has no complete TLS. */
export function bindingOf(socket: Socket): Uint8Array | null {
  try {
    // This throws until the handshake is complete; `handshake` is also called after a failed one.
    const bytes = socket.exportKeyingMaterial(BINDING_BYTES, BINDING_LABEL, Buffer.alloc(0));
    return Uint8Array.from(bytes);
  } catch {
    return null;
  }
}

/** Why a handshake with a server failed. */
export function whyNoTls(error: Error | null): string {
  const text = error?.message ?? "";
  if (text.includes("WRONG_VERSION_NUMBER")) return "the server speaks no TLS";
  if (text.includes("PROTOCOL_VERSION")) return "the server speaks no TLS 1.3";
  return "no TLS connection";
}

/**
 * The handlers of a server. `newConn` makes a connection, which is given to `ready` once its
 * handshake is complete. `knock` is called for each one that begins a handshake, and the function
 * that it returns is called when the handshake is over.
 */
export function tlsAccepting(
  newConn: () => BunConn,
  ready: (socket: Socket, binding: Uint8Array) => void,
  knock: (socket: Socket) => (() => void) | undefined,
): Pick<Bun.SocketHandler<BunConn>, "open" | "handshake" | "close"> {
  const waiting = new Map<BunConn, () => void>();
  const forget = (conn: BunConn): void => {
    waiting.get(conn)?.();
    waiting.delete(conn);
  };
  return {
    open(socket) {
      const conn = newConn();
      socket.data = conn;
      const timer = setTimeout(() => socket.terminate(), HANDSHAKE_MS);
      const over = knock(socket);
      waiting.set(conn, () => {
        clearTimeout(timer);
        over?.();
      });
    },
    handshake(socket) {
      forget(socket.data);
      const binding = bindingOf(socket);
      if (binding) ready(socket, binding);
      else socket.terminate();
    },
    close(socket) {
      forget(socket.data);
      socket.data.onEnd();
    },
  };
}
