/** A user's login at one server: each proves to the other that it knows the password (wire/scram). */
import { DfsError, INVALID_LOGIN, isDfsError } from "../errors.ts";
import { HELLO } from "../wire/handshake.ts";
import type { ReplyOf, RequestOf } from "../wire/messages.ts";
import { checkServerFinal, clientFinal, clientFirst, type Credentials } from "../wire/scram.ts";

/** What logs in, once the password is stretched, which takes a while. */
export interface Login {
  /** More than one while a password is changed: each is tried. */
  readonly credentials: readonly Promise<Credentials>[];
}

/** What a server says of the user that it let in: may they keep the cluster? */
export interface LoggedIn {
  readonly isOperator: boolean;
}

interface Talker {
  readonly label: string;
  say<K extends "login" | "proof">(kind: K, request: RequestOf<K>): Promise<ReplyOf<K>>;
}

/**
 * Logs in; null where the server knows no users. `isThere` is called at the server's first sign of life; `random` gives the bytes of a nonce. A server that knows no users takes
 * anybody: on this machine that is as good as ever, but over TLS it would be whoever got between. Throws DfsError("login").
 */
export async function logIn(
  server: Talker,
  { credentials }: Login,
  random: () => Uint8Array,
  binding: Uint8Array | null,
  isThere: () => void,
): Promise<LoggedIn | null> {
  for (const [i, one] of credentials.entries())
    try {
      return await logInWith(server, await one, random(), binding, isThere);
    } catch (error) {
      const isLast = i === credentials.length - 1;
      if (isLast || !isDfsError(error, "login") || error.message !== INVALID_LOGIN) throw error;
    }
  throw impostor(server, "there is no password");
}

async function logInWith(
  server: Talker,
  credentials: Credentials,
  random: Uint8Array,
  binding: Uint8Array | null,
  isThere: () => void,
): Promise<LoggedIn | null> {
  const { magic, version } = HELLO;
  const first = clientFirst(credentials, random.toBase64(), binding);
  const challenge = await server.say("login", { magic, version, message: first.message });
  isThere();
  if (challenge.message === "") {
    if (binding === null) return null;
    throw impostor(server, "it knows no users");
  }
  try {
    const final = clientFinal(first.state, challenge.message);
    const { message, isOperator } = await server.say("proof", { message: final.message });
    if (checkServerFinal(final.state, message)) return { isOperator };
  } catch (error) {
    if (!isDfsError(error, "protocol")) throw error;
    throw impostor(server, error.message);
  }
  throw impostor(server, "it does not know the password itself");
}

const impostor = ({ label }: Talker, why: string): DfsError =>
  new DfsError("login", `${label} cannot prove that it is the right server: ${why}`);
