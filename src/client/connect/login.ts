/** A user's login at one server: each proves to the other that it knows the password (wire/login). */
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

/** What logs in, once the password is stretched, which takes a while. */
export interface Login {
  /** More than one while a password is changed: each is tried. */
  readonly credentials: readonly Promise<Credentials>[];
  /** Is a server to be shown the older proof too, from which it may learn what it takes to log in elsewhere? */
  readonly offersScram: boolean;
}

/** What came of a login. */
export interface LoggedIn {
  /** May this user keep the cluster? The server says so. */
  readonly isOperator: boolean;
  /** By which kind of verifier the server knows the user. */
  readonly by: Verifier["is"];
  /** Who the server said it is. */
  readonly sid: string;
}

interface Talker {
  readonly label: string;
  say<K extends "login" | "proof">(kind: K, request: RequestOf<K>): Promise<ReplyOf<K>>;
}

const signedKey = (user: string): string => `signed ${user}`;

/** Has this computer seen all servers know this user by a signature? Then nothing older is offered to any. */
export const hasSigned = (memory: ClusterMemory, user: string): boolean =>
  memory.factOf(signedKey(user)) !== null;

/** Remembers that they do. */
export function noteSigned(memory: ClusterMemory, user: string): void {
  if (!hasSigned(memory, user)) memory.noteFact(signedKey(user), new Uint8Array([1]));
}

/**
 * Logs in; null where the server knows no users. `isThere` is called at the server's first sign of life; `random` gives the bytes of a nonce. A server that knows no users takes
 * anybody: on this machine that is as good as ever, but over TLS it would be whoever got between. Throws DfsError("login").
 */
export async function logIn(
  server: Talker,
  { credentials, offersScram }: Login,
  random: () => Uint8Array,
  binding: Uint8Array | null,
  isThere: () => void,
): Promise<LoggedIn | null> {
  for (const [i, one] of credentials.entries())
    try {
      return await logInWith(server, await one, offersScram, random(), binding, isThere);
    } catch (error) {
      const isLast = i === credentials.length - 1;
      if (isLast || !isDfsError(error, "login") || error.message !== INVALID_LOGIN) throw error;
    }
  throw impostor(server, "there is no password");
}

async function logInWith(
  server: Talker,
  credentials: Credentials,
  offersScram: boolean,
  clientNonce: Uint8Array,
  binding: Uint8Array | null,
  isThere: () => void,
): Promise<LoggedIn | null> {
  const { magic, version } = HELLO;
  const { user } = credentials;
  const { challenge } = await server.say("login", { magic, version, user, nonce: clientNonce });
  isThere();
  if (challenge === null) {
    if (binding === null) return null;
    throw impostor(server, "it knows no users");
  }
  const { nonce: serverNonce, sid } = challenge;
  const exchange: Exchange = { user, clientNonce, serverNonce, sid, binding };
  const shown = proofOf(credentials, exchange, offersScram);
  const { proof, isOperator } = await server.say("proof", shown);
  const by = provedBy(credentials, exchange, shown, proof);
  if (by !== null) return { isOperator, by, sid };
  throw impostor(server, "it does not know the password itself");
}

/** Throws DfsError("login") unless the server is the one that the login was for. */
export function checkIsIt(server: Pick<Talker, "label">, { sid }: LoggedIn, said: string): void {
  if (said !== sid) throw impostor(server, "it says to be two servers at once");
}

const impostor = ({ label }: Pick<Talker, "label">, why: string): DfsError =>
  new DfsError("login", `${label} cannot prove that it is the right server: ${why}`);
