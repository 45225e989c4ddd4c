/** A user's keys: their master key, which all servers keep wrapped by the password in a register of its own (file/keys). */
import { assert, DfsError } from "../errors.ts";
import { keysOf, MASTER_BYTES, unwrapMaster, WRAP_RANDOM_BYTES, wrapMaster } from "../file/keys.ts";
import { KEY_NAME } from "../file/names.ts";
import { tombstone, type Vid } from "../version.ts";
import { takeAll } from "./believe.ts";
import type { Cluster } from "./cluster.ts";
import { Guard, type Memory } from "./guard.ts";
import { type Proposal, propose } from "./propose.ts";
import { glance, type Reading, readName } from "./register.ts";

/** What opens a master key: it follows from the password (io/stretch). */
export type Secret = Uint8Array;

/** A user's master key as this computer has seen it: its fingerprint, and the record that a password opened. */
export interface KnownKey {
  readonly fingerprint: Uint8Array;
  readonly record: Uint8Array;
}

/** What of the keys this computer remembers. */
export interface KeyMemory extends Memory {
  keyOf(user: string): KnownKey | null;
  noteKey(user: string, key: KnownKey): void;
}

/**
 * The cluster with the keys of its user, which are made at the first time; where that `mayMake` does not allow, without any. Throws
 * DfsError("tooFew") where it cannot be told whether there are some, ("login") where this secret does not open them, ("integrity")
 * where they are others than before.
 */
export async function unlock(
  cluster: Cluster,
  secret: Secret,
  memory: KeyMemory,
  mayMake = true,
): Promise<Cluster> {
  const { user, ports } = cluster;
  const known = memory.keyOf(user);
  const record = await recordOf(cluster, secret, known, mayMake);
  if (!record) return cluster;
  const keys = keysOf(user, unwrapped(secret, user, record));
  if (known && Buffer.compare(known.fingerprint, keys.fingerprint) !== 0)
    throw new DfsError(
      "integrity",
      `the servers have another key of ${user || "yours"} than this computer has seen: they are other servers, or lie; if that is meant, remove ${memory.place}`,
    );
  if (!known || Buffer.compare(known.record, record) !== 0)
    memory.noteKey(user, { fingerprint: keys.fingerprint, record });
  const isKey = (other: Uint8Array): boolean => unwrapMaster(secret, user, other) !== null;
  return cluster.as(user, new Guard(keys, memory, ports.random, isKey));
}

function unwrapped(secret: Secret, user: string, record: Uint8Array): Uint8Array {
  const master = unwrapMaster(secret, user, record);
  assert(master, "a record was chosen that this secret opens");
  return master;
}

/** The record of the master key, which this secret opens; null: there is none, and none is made. */
async function recordOf(
  cluster: Cluster,
  secret: Secret,
  known: KnownKey | null,
  mayMake: boolean,
): Promise<Uint8Array | null> {
  for (;;) {
    const doubts: string[] = [];
    const reading = await readName(opening(cluster, [secret], doubts), KEY_NAME);
    const found = recordIn(cluster.user, secret, reading);
    const other = found ? null : await sealedOtherwise(cluster, [secret]);
    if (!other) for (const line of doubts) cluster.warn(line);
    if (found) return found;
    const isAbsent = reading.is === "current" && !other;
    if (known && unwrapMaster(secret, cluster.user, known.record))
      if (isAbsent || (other && cluster.connections.isLoggedIn)) {
        cluster.warn("the servers had lost the key of your files: this computer still had it");
        await restore(cluster, known.record, other);
        continue;
      }
    if (other)
      throw new DfsError(
        "login",
        "the key of your files is sealed with another password: if it was changed on the servers, dfs-tool user passwd with the old one in $DFS_OLD_PASSWORD seals it with this one",
      );
    if (!isAbsent) throw new DfsError("tooFew", tooFewLine(reading));
    if (known)
      throw new DfsError(
        "integrity",
        "the servers have lost the key of your files, or hide it; this computer has seen it before",
      );
    if (!mayMake) return null;
    await make(opening(cluster, [secret], []), secret);
  }
}

/** Puts a record back that servers have no more, in the place of another one or of none; unless somebody else does just then. */
async function restore(cluster: Cluster, record: Uint8Array, other: Vid | null): Promise<void> {
  const outcome = await propose(cluster, KEY_NAME, proposalOf(cluster, record, other));
  if (outcome.is === "done" || outcome.is === "refused") return;
  throw new DfsError("tooFew", "the key of your files cannot be put back: too few servers answer");
}

/**
 * The same cluster, that believes no record which none of these secrets opens: else one lying server could have it spread. What it
 * would warn of goes to `doubts`.
 */
const opening = (cluster: Cluster, secrets: readonly Secret[], doubts: string[]): Cluster =>
  cluster.as(
    cluster.user,
    null,
    (stored, accepted) => {
      const { body } = accepted.version;
      const isOpen = secrets.some((secret) => unwrapMaster(secret, cluster.user, body) !== null);
      return isOpen ? takeAll(stored, accepted) : null;
    },
    (line) => void doubts.push(line),
  );

/** The version of a record that servers agree on and none of these opens. It is looked at only, so that nobody spreads it. */
async function sealedOtherwise(cluster: Cluster, secrets: readonly Secret[]): Promise<Vid | null> {
  const version = (await glance(cluster, KEY_NAME))?.version;
  if (!version) return null;
  const isOpen = secrets.some((one) => unwrapMaster(one, cluster.user, version.body) !== null);
  // One that opens has come just now.
  return isOpen ? null : version.vid;
}

/**
 * The record that was chosen; where it cannot be told which one that is, one of which any server knows that. What was merely accepted
 * may never be chosen: of several computers that log in for the first time at once, each makes a key, and what is sealed with
 * another one than that which stays is lost.
 */
function recordIn(
  user: string,
  secret: Secret,
  { is, current, replies }: Reading,
): Uint8Array | null {
  const known = [...replies.values()].map(({ register: { com } }) => com);
  for (const accepted of is === "current" ? [current] : known) {
    const record = accepted?.version.body;
    if (record && unwrapMaster(secret, user, record)) return record;
  }
  return null;
}

/** What makes a record the current one, where this version of it still is (none: where there is none). */
const proposalOf = ({ ports }: Cluster, body: Uint8Array, vid: Vid | null = null): Proposal => ({
  content: { ...tombstone(ports.random.bytes(16).toHex()), deleted: false, body },
  condition: { vid },
  supply: null,
});

/** Proposes a new master key, unless another client does just then. */
async function make(cluster: Cluster, secret: Secret): Promise<void> {
  const { random } = cluster.ports;
  const master = random.bytes(MASTER_BYTES);
  const body = wrapMaster([secret], cluster.user, master, random.bytes(WRAP_RANDOM_BYTES));
  const outcome = await propose(cluster, KEY_NAME, proposalOf(cluster, body));
  if (outcome.is === "failed") throw new DfsError("tooFew", `no key could be made: ${outcome.why}`);
}

const tooFewLine = ({ replies, view }: Reading): string =>
  `${replies.size} of ${view.members.length} servers answer: too few to find the key of your files`;

/**
 * Seals the master key with these secrets from now on, and with no other; the first of `old` that opens it does. Throws
 * DfsError("login") where none does, ("tooFew") where it could not be changed.
 */
export async function rewrap(
  cluster: Cluster,
  old: readonly Secret[],
  secrets: readonly Secret[],
): Promise<void> {
  const { random } = cluster.ports;
  const reading = await readName(opening(cluster, old, []), KEY_NAME);
  if (!reading.current) {
    if (await sealedOtherwise(cluster, old)) throw notOpened();
    if (reading.is === "current") return;
    throw new DfsError("tooFew", tooFewLine(reading));
  }
  const opened = old.flatMap((secret) => {
    const record = recordIn(cluster.user, secret, reading);
    return record ? [unwrapped(secret, cluster.user, record)] : [];
  });
  const [master] = opened;
  if (!master) throw notOpened();
  const bytes = random.bytes(WRAP_RANDOM_BYTES * secrets.length);
  const body = wrapMaster(secrets, cluster.user, master, bytes);
  // The proposal too: it may have to accept anew what a server says was accepted last.
  const believing = opening(cluster, [...old, ...secrets], []);
  const { vid } = reading.current.version;
  const outcome = await propose(believing, KEY_NAME, proposalOf(cluster, body, vid));
  if (outcome.is === "done") return;
  throw new DfsError(
    outcome.is === "refused" ? "conflict" : "tooFew",
    outcome.is === "refused"
      ? "the key was sealed anew by someone else just then: try again"
      : "the key could not be sealed anew: too few servers answer",
  );
}

const notOpened = (): DfsError =>
  new DfsError("login", "the old password does not open the key of your files");
