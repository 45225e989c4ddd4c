/**
 * The login: SCRAM-SHA-256 (RFC 5802, 7677), bound to the TLS connection where there is one (tls-exporter, RFC 9266).
 * Both sides prove that they know the password, and neither shows it. The salt is made from the user's name and the
 * iterations are fixed: a client computes its keys once for all servers, a server shows nobody which users it knows,
 * and nobody can make a client take weaker ones.
 */
import { createHash, createHmac, pbkdf2Sync, timingSafeEqual } from "node:crypto";
import { concat } from "../bytes.ts";
import { assert, DfsError } from "../errors.ts";
import { SCRAM_ITERATIONS, SCRAM_MESSAGE_BYTES, SCRAM_SALT_BYTES } from "../limits.ts";

/** What a server keeps of a password: enough to check a login, not enough to do one. */
export interface Verifier {
  readonly storedKey: Uint8Array;
  readonly serverKey: Uint8Array;
}

/** How a password becomes keys. */
export interface Derivation {
  readonly salt: Uint8Array;
  readonly iterations: number;
}

/** All that a client needs to log in, on any server. */
export interface Credentials extends Verifier, Derivation {
  readonly user: string;
  readonly clientKey: Uint8Array;
}

/** What belongs to a TLS connection alone; null where there is none. */
export type Binding = Uint8Array | null;

const KEY_BYTES = 32;
const BASE64 = "[A-Za-z0-9+/]+={0,2}";
/** Printable ASCII without the comma. */
const NONCE = String.raw`[\x21-\x2b\x2d-\x7e]+`;
const NAME = String.raw`(?:[^\0=,]|=2C|=3D)+`;

const CLIENT_FIRST = new RegExp(`^(p=tls-exporter,,|[ny],,)(n=(${NAME}),r=(${NONCE}))$`, "u");
const SERVER_FIRST = new RegExp(`^r=(${NONCE}),s=(${BASE64}),i=([1-9][0-9]{0,8})$`);
const CLIENT_FINAL = new RegExp(`^(c=(${BASE64}),r=(${NONCE})),p=(${BASE64})$`);
const SERVER_FINAL = new RegExp(`^v=(${BASE64})$`);

const BOUND = "p=tls-exporter,,";
const UNBOUND = "n,,";

const utf8 = new TextEncoder();
const sha256 = (bytes: Uint8Array): Uint8Array => createHash("sha256").update(bytes).digest();
const hmac = (key: Uint8Array, text: string): Uint8Array =>
  createHmac("sha256", key).update(text).digest();
const xor = (a: Uint8Array, b: Uint8Array): Uint8Array => a.map((byte, i) => byte ^ (b[i] ?? 0));

/** How the login of every password is derived; it depends on the user's name only. */
export const derivationOf = (user: string): Derivation => ({
  salt: sha256(utf8.encode(`dfs-tool scram 1\0${user}`)).slice(0, SCRAM_SALT_BYTES),
  iterations: SCRAM_ITERATIONS,
});

/** The keys of a user whose stretched password is `login` (io/stretch). It takes milliseconds: once a command. */
export function credentialsOf(
  user: string,
  login: string,
  derivation: Derivation = derivationOf(user),
): Credentials {
  const { salt, iterations } = derivation;
  const salted = pbkdf2Sync(login, salt, iterations, KEY_BYTES, "sha256");
  const clientKey = hmac(salted, "Client Key");
  const storedKey = sha256(clientKey);
  return { user, salt, iterations, clientKey, storedKey, serverKey: hmac(salted, "Server Key") };
}

/** What a server keeps of a user whose stretched password is `login`. */
export function verifierOf(user: string, login: string): Verifier {
  const { storedKey, serverKey } = credentialsOf(user, login);
  return { storedKey, serverKey };
}

/** A verifier that nobody can meet, always the same for a user: it stands in for those that a server does not know. */
export const impossibleVerifier = (user: string, secret: Uint8Array): Verifier => ({
  storedKey: hmac(secret, `stored\0${user}`),
  serverKey: hmac(secret, `server\0${user}`),
});

/** A client that has sent its first message. */
export interface ClientState {
  readonly credentials: Credentials;
  readonly nonce: string;
  readonly header: string;
  readonly bare: string;
  readonly binding: Binding;
}

/** Begins a login. The nonce is printable, has no comma, and is new each time. */
export function clientFirst(
  credentials: Credentials,
  nonce: string,
  binding: Binding,
): { state: ClientState; message: string } {
  assert(new RegExp(`^${NONCE}$`).test(nonce), "a nonce is printable and has no comma");
  const name = credentials.user.replaceAll("=", "=3D").replaceAll(",", "=2C");
  const header = binding ? BOUND : UNBOUND;
  const bare = `n=${name},r=${nonce}`;
  return { state: { credentials, nonce, header, bare, binding }, message: header + bare };
}

/** A client that has sent its proof: the signature that only the right server can answer with. */
export interface ClientExpectation {
  readonly signature: Uint8Array;
}

/** The client's proof; throws DfsError("protocol") where the server asks for another salt or other iterations. */
export function clientFinal(
  state: ClientState,
  message: string,
): { state: ClientExpectation; message: string } {
  const [, nonce = "", salt = "", iterations] = parsed(SERVER_FIRST, message);
  const { credentials } = state;
  if (!nonce.startsWith(state.nonce) || nonce.length === state.nonce.length)
    throw malformed("the server's nonce does not go on from the client's");
  const isOurs = bytesOf(salt).toHex() === credentials.salt.toHex();
  if (!isOurs || Number(iterations) !== credentials.iterations) {
    throw new DfsError(
      "protocol",
      "the server asks for the password in another form than dfs-tool's servers do: do not trust it, or upgrade the older side",
    );
  }
  const unproved = `c=${boundTo(state.header, state.binding)},r=${nonce}`;
  const auth = `${state.bare},${message},${unproved}`;
  const proof = xor(credentials.clientKey, hmac(credentials.storedKey, auth));
  return {
    state: { signature: hmac(credentials.serverKey, auth) },
    message: `${unproved},p=${proof.toBase64()}`,
  };
}

/** Did the server prove that it knows the user's verifier? If not, nothing that it says may be believed. */
export function checkServerFinal({ signature }: ClientExpectation, message: string): boolean {
  const [, given = ""] = parsed(SERVER_FINAL, message);
  return timingSafeEqual(keyOf(given), signature);
}

/** What a client begins a login with. */
export interface ClientFirst {
  readonly user: string;
  readonly nonce: string;
  readonly header: string;
  readonly bare: string;
  readonly binding: Binding;
}

/** Reads a client's first message; throws DfsError("protocol"), also where it is not bound to the TLS that there is. */
export function readClientFirst(message: string, binding: Binding): ClientFirst {
  const [, header = "", bare = "", name = "", nonce = ""] = parsed(CLIENT_FIRST, message);
  if (binding && header !== BOUND)
    throw malformed("it is not bound to the TLS connection: someone may be in between");
  if (!binding && header !== UNBOUND) throw malformed("it is bound to TLS where there is none");
  const user = name.replaceAll("=2C", ",").replaceAll("=3D", "=");
  return { user, nonce, header, bare, binding };
}

/** A server that has answered a client's first message. */
export interface ServerState extends ClientFirst {
  /** The client's nonce and the server's. */
  readonly nonce: string;
  readonly message: string;
}

/** The server's answer: the same for users that it knows and others. The nonce is as the client's. */
export function serverFirst(
  first: ClientFirst,
  serverNonce: string,
  { salt, iterations }: Derivation = derivationOf(first.user),
): { state: ServerState; message: string } {
  const nonce = first.nonce + serverNonce;
  const message = `r=${nonce},s=${salt.toBase64()},i=${iterations}`;
  return { state: { ...first, nonce, message }, message };
}

/** The server's final message where the client has proved that it knows the password of this verifier; else null. */
export function checkClientFinal(
  state: ServerState,
  verifier: Verifier,
  message: string,
): string | null {
  const [, unproved = "", bound = "", nonce, proof = ""] = parsed(CLIENT_FINAL, message);
  const auth = `${state.bare},${state.message},${unproved}`;
  const clientKey = xor(keyOf(proof), hmac(verifier.storedKey, auth));
  const isProved = timingSafeEqual(sha256(clientKey), verifier.storedKey);
  const isBound = bound === boundTo(state.header, state.binding);
  if (!isProved || !isBound || nonce !== state.nonce) return null;
  return `v=${hmac(verifier.serverKey, auth).toBase64()}`;
}

/** What a final message says of the connection that it belongs to. */
const boundTo = (header: string, binding: Binding): string =>
  concat([utf8.encode(header), binding ?? new Uint8Array()]).toBase64();

/** The parts of a message; throws DfsError("protocol") unless it is of this form. */
function parsed(form: RegExp, message: string): RegExpExecArray {
  const isText = message.length <= SCRAM_MESSAGE_BYTES && message.isWellFormed();
  const parts =
    isText && utf8.encode(message).length <= SCRAM_MESSAGE_BYTES ? form.exec(message) : null;
  return parts ?? fail("it has not the form of RFC 5802");
}

/** Base64 in the one way to write it: without that, another text would mean the same. */
function bytesOf(base64: string): Uint8Array {
  const bytes = Buffer.from(base64, "base64");
  return bytes.toString("base64") === base64 ? bytes : fail("its Base64 is not proper");
}

function keyOf(base64: string): Uint8Array {
  const bytes = bytesOf(base64);
  return bytes.length === KEY_BYTES ? bytes : fail(`a key or a proof has ${KEY_BYTES} bytes`);
}

const malformed = (why: string): DfsError => new DfsError("protocol", `malformed login: ${why}`);

function fail(why: string): never {
  throw malformed(why);
}
