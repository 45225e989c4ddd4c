/**
 * The master key of a user. All servers keep it in a register of its own, wrapped by the password
 * (file/keys). Used by each command of a user with a password, and by `user passwd`.
 */
import { Space } from "../trust/space.ts";
import { assert, DfsError } from "../../errors.ts";
import { keysOf, MASTER_BYTES, NONCE_BYTES, wrapMaster } from "../../file/keys.ts";
import { KEY_NAME } from "../../file/names.ts";
import { tombstone, type Vid } from "../../version.ts";
import { isFence, NEVER_THERE, takeAll } from "../trust/judge.ts";
import type { Cluster } from "../connect/cluster.ts";
import { Guard, type KeyRecords, type Memory } from "../trust/guard.ts";
import type { Opener } from "../trust/opener.ts";
import { type Proposal, propose } from "./propose.ts";
import { readOnce, type Reading, readName } from "./register.ts";

/**
 * A user's master key as this computer has seen it: its fingerprint, and the record that a password
 * opened.
 */
export interface KnownKey {
  readonly fingerprint: Uint8Array;
  readonly record: Uint8Array;
}

/** What this computer remembers of the keys. */
export interface KeyMemory extends Memory {
  keyOf(user: string): KnownKey | null;
  noteKey(user: string, key: KnownKey): void;
}

/**
 * The cluster with the keys of its user. The first time they are made, unless `mayMake` is false:
 * then the cluster is returned without keys. Throws DfsError("tooFew") where it cannot be told
 * whether there are keys, ("login") where this password does not open them, ("integrity") where
 * they are not the keys seen before.
 */
export async function unlock(
  cluster: Cluster,
  opener: Opener,
  memory: KeyMemory,
  mayMake = true,
): Promise<Cluster> {
  const { ports } = cluster;
  const { user } = cluster.space;
  const known = memory.keyOf(user);
  const record = await recordOf(cluster, opener, known, mayMake);
  if (!record) return cluster;
  const keys = keysOf(user, unwrapped(opener, user, record));
  if (known && Buffer.compare(known.fingerprint, keys.fingerprint) !== 0)
    throw new DfsError(
      "integrity",
      `the servers have another key of ${user || "yours"} than this computer has seen: they are other servers, or lie; if that is meant, remove ${memory.location}`,
    );
  if (!known || Buffer.compare(known.record, record) !== 0)
    memory.noteKey(user, { fingerprint: keys.fingerprint, record });
  const records: KeyRecords = {
    isOpened: (other) => opener.open(user, other) !== null,
    learn: () => opener.learn(user),
  };
  return cluster.in(new Space(user, new Guard(keys, memory, ports.random, records)));
}

function unwrapped(opener: Opener, user: string, record: Uint8Array): Uint8Array {
  const master = opener.open(user, record);
  assert(master, "a record was chosen that this password opens");
  return master;
}

/** The record of the master key that this password opens. null: there is none, and none is made. */
async function recordOf(
  cluster: Cluster,
  opener: Opener,
  known: KnownKey | null,
  mayMake: boolean,
): Promise<Uint8Array | null> {
  const { user } = cluster.space;
  if (known) opener.open(user, known.record);
  await opener.learn(user);
  for (;;) {
    const warnings: string[] = [];
    const reading = await readName(believingOpenable(cluster, [opener], warnings), KEY_NAME);
    const found = recordIn(user, opener, reading);
    const other = found ? null : await sealedOtherwise(cluster, [opener]);
    // A record that was set aside may be the key that another computer made, and no lie.
    if ((!found || warnings.length > 0) && (await opener.learn(user))) continue;
    if (!other) for (const line of warnings) cluster.warn(line);
    if (found) return found;
    const isAbsent = reading.is === "current" && !other;
    if (known && opener.open(user, known.record))
      if (isAbsent || (other && cluster.connections.isLoggedIn)) {
        cluster.warn("the servers had lost the key of your files: this computer still had it");
        await restoreRecord(cluster, known.record, other);
        continue;
      }
    if (other)
      throw new DfsError(
        "login",
        "this password does not open the key of your files: it is mistyped; or else, if it was changed on the servers, dfs-tool user passwd with the old one in $DFS_OLD_PASSWORD seals the key with this one",
      );
    if (!isAbsent) throw new DfsError("tooFew", tooFewLine(reading));
    if (known)
      throw new DfsError(
        "integrity",
        "the servers have lost the key of your files, or hide it; this computer has seen it before",
      );
    if (!mayMake) return null;
    await proposeNewKey(believingOpenable(cluster, [opener], []), opener);
  }
}

/**
 * Puts back a record that servers have lost. It replaces the record `other`, or none. It does
 * nothing if somebody else writes one just then.
 */
async function restoreRecord(
  cluster: Cluster,
  record: Uint8Array,
  other: Vid | null,
): Promise<void> {
  const outcome = await propose(cluster, KEY_NAME, proposalOf(cluster, record, other));
  if (outcome.is === "done" || outcome.is === "refused") return;
  throw new DfsError("tooFew", "the key of your files cannot be put back: too few servers answer");
}

/**
 * The same cluster, but it believes only records that one of these passwords opens. Otherwise one
 * lying server could have its record spread. Warnings go to `warnings` instead of the user.
 */
const believingOpenable = (
  cluster: Cluster,
  openers: readonly Opener[],
  warnings: string[],
): Cluster =>
  cluster.in(
    new Space(cluster.space.user, null, (stored, accepted) => {
      const { version } = accepted;
      // Somebody began to make a key.
      if (isFence(version)) return NEVER_THERE;
      const { body } = version;
      const isOpen = openers.some((opener) => opener.open(cluster.space.user, body) !== null);
      return isOpen ? takeAll(stored, accepted) : null;
    }),
    (line) => void warnings.push(line),
  );

/**
 * The version of a record that servers agree on and none of these passwords opens; null: there is
 * none. It is only read, never settled, so that nobody spreads it.
 */
async function sealedOtherwise(cluster: Cluster, openers: readonly Opener[]): Promise<Vid | null> {
  const version = (await readOnce(cluster, KEY_NAME))?.version;
  if (!version || isFence(version)) return null;
  const isOpen = openers.some((opener) => opener.open(cluster.space.user, version.body) !== null);
  // null too where a record that opens has come just now.
  return isOpen ? null : version.vid;
}

/**
 * The record that was chosen. If it cannot be told which one that is, a record that some server
 * knows to be chosen. A record that was only accepted does not count, because it may never be
 * chosen. When several computers log in for the first time at once, each makes a key, and files
 * sealed with a key that does not stay are lost.
 */
function recordIn(
  user: string,
  opener: Opener,
  { is, current, replies }: Reading,
): Uint8Array | null {
  const known = [...replies.values()].map(({ register: { com } }) => com);
  for (const accepted of is === "current" ? [current] : known) {
    const record = accepted?.version.body;
    if (record && opener.open(user, record)) return record;
  }
  return null;
}

/**
 * A proposal that makes this record the current one, if the version `vid` is still current (null:
 * if there is none).
 */
const proposalOf = ({ ports }: Cluster, body: Uint8Array, vid: Vid | null = null): Proposal => ({
  content: { ...tombstone(ports.random.bytes(16).toHex()), deleted: false, body },
  condition: { vid },
  supply: null,
});

/** Proposes a new master key. It gives way to another client that proposes one at the same time. */
async function proposeNewKey(cluster: Cluster, opener: Opener): Promise<void> {
  const { random } = cluster.ports;
  const wrap = await opener.newSecret(random);
  const master = random.bytes(MASTER_BYTES);
  const body = wrapMaster([wrap], cluster.space.user, master, random.bytes(NONCE_BYTES));
  const outcome = await propose(cluster, KEY_NAME, proposalOf(cluster, body));
  // What another client of this user proposed meanwhile opens only once the password is stretched
  // for it.
  if (outcome.is === "failed" && !(await opener.learn(cluster.space.user)))
    throw new DfsError("tooFew", `no key could be made: ${outcome.why}`);
}

const tooFewLine = ({ replies, view }: Reading): string =>
  `${replies.size} of ${view.members.length} servers answer: too few to find the key of your files`;

/**
 * Seals the master key with the passwords `next`, and no other. The first of `old` that opens the
 * key is used. Throws DfsError("login") where none opens it, ("tooFew") where the key could not be
 * changed, ("conflict") where somebody else changed it at the same time.
 */
export async function rewrap(
  cluster: Cluster,
  old: readonly Opener[],
  next: readonly Opener[],
): Promise<void> {
  const { user } = cluster.space;
  const { random } = cluster.ports;
  const reading = await readAll(cluster, old);
  if (!reading.current || isFence(reading.current.version)) {
    if (await sealedOtherwise(cluster, old)) throw notOpened();
    if (reading.is === "current") return;
    throw new DfsError("tooFew", tooFewLine(reading));
  }
  const opened = old.flatMap((opener) => {
    const record = recordIn(user, opener, reading);
    return record ? [unwrapped(opener, user, record)] : [];
  });
  const [master] = opened;
  if (!master) throw notOpened();
  const wraps = await Promise.all(next.map((opener) => opener.newSecret(random)));
  const body = wrapMaster(wraps, user, master, random.bytes(NONCE_BYTES * wraps.length));
  // The proposal believes the new passwords too: it may have to accept again a record that a server
  // accepted last.
  const believing = believingOpenable(cluster, [...old, ...next], []);
  const { vid } = reading.current.version;
  const outcome = await propose(believing, KEY_NAME, proposalOf(cluster, body, vid));
  if (outcome.is === "done") return;
  const learned = await Promise.all([...old, ...next].map((opener) => opener.learn(user)));
  if (outcome.is === "failed" && learned.includes(true)) return rewrap(cluster, old, next);
  throw new DfsError(
    outcome.is === "refused" ? "conflict" : "tooFew",
    outcome.is === "refused"
      ? "the key was sealed anew by someone else just then: try again"
      : "the key could not be sealed anew: too few servers answer",
  );
}

/** Reads the key once all that is needed to open it has been learned. */
async function readAll(cluster: Cluster, openers: readonly Opener[]): Promise<Reading> {
  for (let isFirst = true; ; isFirst = false) {
    const reading = isFirst
      ? null
      : await readName(believingOpenable(cluster, openers, []), KEY_NAME);
    if (reading && (!reading.current || isFence(reading.current.version)))
      await sealedOtherwise(cluster, openers);
    const learned = await Promise.all(openers.map((opener) => opener.learn(cluster.space.user)));
    if (reading && !learned.includes(true)) return reading;
  }
}

const notOpened = (): DfsError =>
  new DfsError("login", "the old password does not open the key of your files");
