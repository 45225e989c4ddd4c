/**
 * A user's login at one server: each proves to the other that it knows the password (wire/login).
 * Used by peer; the memory of signatures is used where a command begins.
 */
import { DfsError, INVALID_LOGIN, isDfsError } from "../../errors.ts";
import { HELLO } from "../../wire/handshake.ts";
import {
  type Credentials,
  type Exchange,
  proofOf,
  provedBy,
  type Verifier,
} from "../../wire/login.ts";
import type { ReplyOf, RequestOf } from "../../wire/messages.ts";
import type { ClusterMemory } from "../trust/memory.ts";

/**
 * How a client logs in. The credentials come once the password is stretched, which takes a while.
 */
export interface Login {
  /** More than one while a password is changed: each is tried in turn. */
  readonly credentials: readonly Promise<Credentials>[];
  /**
   * May a server be shown the older proof too? From that one it may learn enough to log in
   * elsewhere.
   */
  readonly offersScram: boolean;
}

/** What came of a login. */
export interface LoggedIn {
  /** May this user keep the cluster? The server says so. */
  readonly isOperator: boolean;
  /** The kind of verifier by which the server knows the user. */
  readonly by: Verifier["is"];
  /** The id that the server gave during the login. */
  readonly sid: string;
}

interface LoginServer {
  readonly label: string;
  sendLogin<K extends "login" | "proof">(kind: K, request: RequestOf<K>): Promise<ReplyOf<K>>;
}

const signedKey = (user: string): string => `signed ${user}`;

/**
 * Has this computer seen all servers know this user by a signature? Then no server is shown an
 * older proof.
 */
export const hasSigned = (memory: ClusterMemory, user: string): boolean =>
  memory.factOf(signedKey(user)) !== null;

/** Remembers that all servers know this user by a signature. */
export function noteSigned(memory: ClusterMemory, user: string): void {
  if (!hasSigned(memory, user)) memory.noteFact(signedKey(user), new Uint8Array([1]));
}

/**
 * Logs in. Returns null where the server knows no users. `random` returns the bytes of a nonce.
 * `onSignOfLife` is called at the server's first answer. Throws DfsError("login").
 *
 * A server that knows no users takes anybody. Without TLS, as on this machine, that is accepted.
 * Over TLS it is refused, because it could be somebody in between.
 */
export async function logIn(
  server: LoginServer,
  { credentials, offersScram }: Login,
  random: () => Uint8Array,
  binding: Uint8Array | null,
  onSignOfLife: () => void,
): Promise<LoggedIn | null> {
  for (const [i, credential] of credentials.entries())
    try {
      return await logInWith(
        server,
        await credential,
        offersScram,
        random(),
        binding,
        onSignOfLife,
      );
    } catch (error) {
      const isLast = i === credentials.length - 1;
      if (isLast || !isDfsError(error, "login") || error.message !== INVALID_LOGIN) throw error;
    }
  throw impostor(server, "there is no password");
}

async function logInWith(
  server: LoginServer,
  credentials: Credentials,
  offersScram: boolean,
  clientNonce: Uint8Array,
  binding: Uint8Array | null,
  onSignOfLife: () => void,
): Promise<LoggedIn | null> {
  const { magic, version } = HELLO;
  const { user } = credentials;
  const { challenge } = await server.sendLogin("login", {
    magic,
    version,
    user,
    nonce: clientNonce,
  });
  onSignOfLife();
  if (challenge === null) {
    if (binding === null) return null;
    throw impostor(server, "it knows no users");
  }
  const { nonce: serverNonce, sid } = challenge;
  const exchange: Exchange = { user, clientNonce, serverNonce, sid, binding };
  const shown = proofOf(credentials, exchange, offersScram);
  const { proof, isOperator } = await server.sendLogin("proof", shown);
  const by = provedBy(credentials, exchange, shown, proof);
  if (by !== null) return { isOperator, by, sid };
  throw impostor(server, "it does not know the password itself");
}

/** Throws DfsError("login") unless the server is the one that the login was for. */
export function checkSameServer(
  server: Pick<LoginServer, "label">,
  { sid }: LoggedIn,
  greetedSid: string,
): void {
  if (greetedSid !== sid) throw impostor(server, "it says to be two servers at once");
}

const impostor = ({ label }: Pick<LoginServer, "label">, why: string): DfsError =>
  new DfsError("login", `${label} cannot prove that it is the right server: ${why}`);
