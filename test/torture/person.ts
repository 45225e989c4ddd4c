/** The user of a scenario that is played with a password: what servers know of them, what clients log in with, and what must lie on disks. */
import * as crypto from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { verifierText } from "../../src/server/users/users.ts";
import type { Cluster } from "../../src/client/connect/cluster.ts";
import type { ClientPorts } from "../../src/client/connect/peer.ts";
import { openCluster } from "../../src/client/members/open.ts";
import type { ServerAddress } from "../../src/membership.ts";
import { Opener } from "../../src/client/trust/opener.ts";
import { unlock } from "../../src/client/agree/unlock.ts";
import { type Cost, keysOf, unwrapMaster } from "../../src/file/keys.ts";
import { KEY_NAME } from "../../src/file/names.ts";
import {
  SEALED_SEGMENT_BYTES,
  sealedBytes,
  sealSegment,
  SEGMENT_BYTES,
  segmentCount,
} from "../../src/file/seal.ts";
import { readSigned } from "../../src/file/sealed_manifest.ts";
import { sealName } from "../../src/file/sealed_name.ts";
import { passwordIn, stretch } from "../../src/io/stretch.ts";
import type { Version } from "../../src/version.ts";
import { credentialsOf, verifierOf } from "../../src/wire/login.ts";
import { newMemory } from "../harness/password.ts";

/** The declarations of Bun lack it. */
const { argon2Sync } = crypto as unknown as {
  argon2Sync: (algorithm: "argon2id", parameters: object) => Uint8Array;
};

const USER = "Alice";
const PASSWORD = "correct horse battery staple";

/** Such that it can be told to a client process. */
export interface Person {
  readonly user: string;
  readonly password: string;
  readonly login: string;
  /** In hexadecimal digits. */
  readonly wrap: string;
}

export async function newPerson(): Promise<Person> {
  const { login, wrap } = await stretch(USER, PASSWORD);
  return { user: USER, password: PASSWORD, login, wrap: Buffer.from(wrap).toString("hex") };
}

/** The flags of a server that knows this user; its file of users is written. */
export function usersFlags(folder: string, person: Person | null): string[] {
  if (!person) return [];
  const path = join(folder, "dfs.conf");
  const verifier = verifierText(verifierOf(person.user, person.login));
  writeFileSync(path, `${person.user} ${verifier}\n`, { mode: 0o600 });
  return ["--users", path];
}

/** What dfc.conf says of them. */
export const linesOf = (person: Person | null): string =>
  person ? `Username: ${person.user}\nPassword: ${person.password}\n` : "";

/** Opens a cluster as this user, or as nobody. */
export async function openAs(
  person: Person | null,
  ports: ClientPorts,
  servers: readonly ServerAddress[],
  warn: (line: string) => void,
): Promise<Cluster> {
  if (!person) return openCluster(ports, servers, { user: "", login: null, warn });
  const { user, password, login } = person;
  const credentials = [Promise.resolve(credentialsOf(user, login))];
  const cluster = await openCluster(ports, servers, {
    user,
    login: { credentials, offersScram: false },
    warn,
  });
  try {
    return await unlock(cluster, new Opener(passwordIn(user, password)), newMemory());
  } catch (error) {
    cluster.close();
    throw error;
  }
}

/** What servers must hold of these files, by the names that they know; `currentOf` is the version that one has. */
export function sealedFiles(
  { user, password, wrap }: Person,
  files: ReadonlyMap<string, Uint8Array>,
  currentOf: (stored: string) => Version | null,
): Map<string, Uint8Array> {
  const record = currentOf(KEY_NAME);
  const opening = {
    wrap: Buffer.from(wrap, "hex"),
    stretched: (cost: Cost) => argon2id(password, cost),
  };
  const master = record && unwrapMaster(opening, user, record.body);
  if (!master) return new Map();
  const keys = keysOf(user, master);
  const all = new Map<string, Uint8Array>([[KEY_NAME, new Uint8Array()]]);
  for (const [name, content] of files) {
    const stored = sealName(keys, name);
    const version = currentOf(stored);
    const signed = version && readSigned(keys, stored, version);
    all.set(stored, signed ? sealedWith(signed.facts.key, content) : content);
  }
  return all;
}

/** What a password comes to at a cost (io/stretch), at once. */
const argon2id = (password: string, { kib, passes, lanes, salt }: Cost): Uint8Array =>
  new Uint8Array(
    argon2Sync("argon2id", {
      message: Buffer.from(password.normalize("NFC")),
      nonce: salt,
      memory: kib,
      passes,
      parallelism: lanes,
      tagLength: 32,
    }),
  );

function sealedWith(key: Uint8Array, content: Uint8Array): Uint8Array {
  const sealed = new Uint8Array(sealedBytes(content.length));
  for (let index = 0; index < segmentCount(content.length); index++) {
    const plain = content.subarray(index * SEGMENT_BYTES, (index + 1) * SEGMENT_BYTES);
    const at = index * SEALED_SEGMENT_BYTES;
    const into = sealed.subarray(at, Math.min(at + SEALED_SEGMENT_BYTES, sealed.length));
    sealSegment({ key, bytes: content.length }, index, plain, into);
  }
  return sealed;
}
