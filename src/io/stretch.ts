/**
 * A password made expensive to guess, once for each command: argon2id, in a thread of its own. Of the result one half
 * is what the login takes for the password, the other wraps the user's keys. So a server, which sees the first half's
 * verifier only, pays argon2id for each guess, and never learns the second.
 */
import * as crypto from "node:crypto";
import {
  STRETCH_BYTES,
  STRETCH_KIB,
  STRETCH_LANES,
  STRETCH_PASSES,
  STRETCH_SALT_BYTES,
} from "../limits.ts";

export interface Stretched {
  /** What the login takes for the password. */
  readonly login: string;
  /** The key that wraps the user's keys. */
  readonly wrap: Uint8Array;
}

interface Argon2Parameters {
  readonly message: Uint8Array;
  readonly nonce: Uint8Array;
  readonly memory: number;
  readonly passes: number;
  readonly parallelism: number;
  readonly tagLength: number;
}

/** The declarations of Bun lack it. */
const { argon2 } = crypto as unknown as {
  argon2: (
    algorithm: "argon2id",
    parameters: Argon2Parameters,
    done: (error: Error | null, tag: Uint8Array) => void,
  ) => void;
};

/** The same for the same user and password, on every machine and for ever. */
export function stretch(user: string, password: string): Promise<Stretched> {
  const salt = crypto.createHash("sha256").update(`dfs-tool password 1\0${user}`).digest();
  const parameters: Argon2Parameters = {
    message: new TextEncoder().encode(password.normalize("NFC")),
    nonce: salt.subarray(0, STRETCH_SALT_BYTES),
    memory: STRETCH_KIB,
    passes: STRETCH_PASSES,
    parallelism: STRETCH_LANES,
    tagLength: STRETCH_BYTES,
  };
  return new Promise((resolve, reject) => {
    argon2("argon2id", parameters, (error, tag) => {
      if (error) return reject(error);
      const half = STRETCH_BYTES / 2;
      resolve({ login: tag.slice(0, half).toHex(), wrap: new Uint8Array(tag.subarray(half)) });
    });
  });
}
