/**
 * Do the acceptance tests run with a password? With DFS_TEST_SEALED=1 all servers know one user, all clients are that user's, and
 * all that lies on the servers is sealed.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Login } from "../../src/client/connect/login.ts";
import type { Seen } from "../../src/client/trust/guard.ts";
import type { Secret } from "../../src/client/trust/opener.ts";
import type { KeyMemory, KnownKey } from "../../src/client/agree/unlock.ts";
import { verifierText } from "../../src/server/users/users.ts";
import { sealedBytes } from "../../src/file/seal.ts";
import { type Password, passwordIn } from "../../src/io/stretch.ts";
import { credentialsOf, verifierOf } from "../../src/wire/login.ts";

export const isSealed = process.env.DFS_TEST_SEALED === "1";

const NAME = "Alice";
const PASSWORD = "correct horse battery staple";

/** It takes a while: once for all servers and clients of a test file. */
const password: Password | null = isSealed ? passwordIn(NAME, PASSWORD) : null;
const loginWord = await password?.login;

/** Whose space the files lie in. */
export const user = isSealed ? NAME : "";

/** What a dfc.conf says of the user, after its servers. */
export const loginLines = isSealed ? `Username: ${NAME}\nPassword: ${PASSWORD}\n` : "";

/** Bytes of a file as servers hold them. */
export const storedBytes = (bytes: number): number => (isSealed ? sealedBytes(bytes) : bytes);

/** The file of users that servers below this folder read; null where they know none. */
export function writeUsers(home: string): string | null {
  if (loginWord === undefined) return null;
  const path = join(home, "dfs.conf");
  writeOwned(path, `${NAME} ${verifierText(verifierOf(NAME, loginWord))}\n`);
  return path;
}

/** Writes a file with a password in it, as its user does who wants no warning: nobody else may read it. */
export function writeOwned(path: string, text: string): void {
  writeFileSync(path, text, { mode: 0o600 });
}

const credentials = loginWord === undefined ? null : credentialsOf(NAME, loginWord);

/** What a client in the process of the test logs in with. */
export const login: Login | null = credentials && {
  credentials: [Promise.resolve(credentials)],
  offersScram: false,
};

/** What unwraps the user's keys. */
export const secret: Secret | null = password;

/** What a computer remembers, as long as the test takes. */
export function newMemory(): KeyMemory {
  const seen = new Map<string, Seen>();
  const users = new Map<string, KnownKey>();
  return {
    location: "the memory of this test",
    recall: (key) => seen.get(key) ?? null,
    note: (key, one) => void seen.set(key, one),
    keyOf: (name) => users.get(name) ?? null,
    noteKey: (name, key) => void users.set(name, key),
  };
}
