/**
 * Makes a password expensive to guess, with argon2id, on other threads. Used by the commands, and
 * by the server for plain passwords in its file of users.
 *
 * It is done once with a salt made from the user's name, since the login needs the result before
 * any server is asked. One half of this result serves the login as the password; the other half
 * opens key records of the first format. It is done a second time with the salt and the cost in the
 * key record (file/keys.ts), in parallel if they are known.
 */
import * as crypto from "node:crypto";
import type { Cost } from "../file/keys.ts";
import {
  STRETCH_BYTES,
  STRETCH_KIB,
  STRETCH_LANES,
  STRETCH_PASSES,
  STRETCH_SALT_BYTES,
} from "../limits.ts";

export interface Stretched {
  /** The half that the login uses as the password. */
  readonly login: string;
  /** The half that opens the user's key record if it is of the first format. */
  readonly wrap: Uint8Array;
}

/** A password that is being stretched. */
export interface Password {
  readonly login: Promise<string>;
  readonly wrap: Promise<Uint8Array>;
  /** The result at another cost: 32 bytes. */
  stretch(cost: Cost): Promise<Uint8Array>;
}

interface Argon2Parameters {
  readonly message: Uint8Array;
  readonly nonce: Uint8Array;
  readonly memory: number;
  readonly passes: number;
  readonly parallelism: number;
  readonly tagLength: number;
}

/** Bun's declarations lack this function. */
const { argon2 } = crypto as unknown as {
  argon2: (
    algorithm: "argon2id",
    parameters: Argon2Parameters,
    done: (error: Error | null, tag: Uint8Array) => void,
  ) => void;
};

const WRAP_BYTES = 32;

function argon2id(password: string, cost: Cost, bytes: number): Promise<Uint8Array> {
  const parameters: Argon2Parameters = {
    message: new TextEncoder().encode(password.normalize("NFC")),
    nonce: cost.salt,
    memory: cost.kib,
    passes: cost.passes,
    parallelism: cost.lanes,
    tagLength: bytes,
  };
  return new Promise((resolve, reject) => {
    argon2("argon2id", parameters, (error, tag) => {
      if (error) reject(error);
      else resolve(new Uint8Array(tag));
    });
  });
}

/** The result is the same for the same user and password, on every machine and for ever. */
export async function stretch(user: string, password: string): Promise<Stretched> {
  const salt = crypto.createHash("sha256").update(`dfs-tool password 1\0${user}`).digest();
  const cost: Cost = {
    kib: STRETCH_KIB,
    passes: STRETCH_PASSES,
    lanes: STRETCH_LANES,
    salt: salt.subarray(0, STRETCH_SALT_BYTES),
  };
  const tag = await argon2id(password, cost, STRETCH_BYTES);
  const half = STRETCH_BYTES / 2;
  return { login: tag.slice(0, half).toHex(), wrap: tag.slice(half) };
}

/** Begins to stretch the password of a user. Errors appear where a result is awaited. */
export function passwordIn(user: string, text: string): Password {
  const stretched = stretch(user, text);
  const login = stretched.then((both) => both.login);
  const wrap = stretched.then((both) => both.wrap);
  login.catch(() => {});
  wrap.catch(() => {});
  return { login, wrap, stretch: (cost) => argon2id(text, cost, WRAP_BYTES) };
}
