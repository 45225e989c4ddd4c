/** A user's keys: their master key, which all servers keep wrapped by the password in a register of its own (file/keys). */
import { Space } from "../trust/space.ts";
import { assert, DfsError } from "../../errors.ts";
import { keysOf, MASTER_BYTES, NONCE_BYTES, wrapMaster } from "../../file/keys.ts";
import { KEY_NAME } from "../../file/names.ts";
import { tombstone, type Vid } from "../../version.ts";
import { isFence, NEVER, takeAll } from "../trust/judge.ts";
import type { Cluster } from "../connect/cluster.ts";
import { Guard, type KeyRecords, type Memory } from "../trust/guard.ts";
import type { Opener } from "../trust/opener.ts";
import { type Proposal, propose } from "./propose.ts";
import { glance, type Reading, readName } from "./register.ts";

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
 * DfsError("tooFew") where it cannot be told whether there are some, ("login") where this password does not open them, ("integrity")
 * where they are others than before.
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
      `the servers have another key of ${user || "yours"} than this computer has seen: they are other servers, or lie; if that is meant, remove ${memory.place}`,
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

/** The record of the master key, which this password opens; null: there is none, and none is made. */
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
    const doubts: string[] = [];
    const reading = await readName(opening(cluster, [opener], doubts), KEY_NAME);
    const found = recordIn(user, opener, reading);
    const other = found ? null : await sealedOtherwise(cluster, [opener]);
    // What was set aside may be no lie, but the key that another computer made.
    if ((!found || doubts.length > 0) && (await opener.learn(user))) continue;
    if (!other) for (const line of doubts) cluster.warn(line);
    if (found) return found;
    const isAbsent = reading.is === "current" && !other;
    if (known && opener.open(user, known.record))
      if (isAbsent || (other && cluster.connections.isLoggedIn)) {
        cluster.warn("the servers had lost the key of your files: this computer still had it");
        await restore(cluster, known.record, other);
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
    await make(opening(cluster, [opener], []), opener);
  }
}

/** Puts a record back that servers have no more, in the place of another one or of none; unless somebody else does just then. */
async function restore(cluster: Cluster, record: Uint8Array, other: Vid | null): Promise<void> {
  const outcome = await propose(cluster, KEY_NAME, proposalOf(cluster, record, other));
  if (outcome.is === "done" || outcome.is === "refused") return;
  throw new DfsError("tooFew", "the key of your files cannot be put back: too few servers answer");
}

/**
 * The same cluster, that believes no record which none of these passwords opens: else one lying server could have it spread. What it
 * would warn of goes to `doubts`.
 */
const opening = (cluster: Cluster, openers: readonly Opener[], doubts: string[]): Cluster =>
  cluster.in(
    new Space(cluster.space.user, null, (stored, accepted) => {
      const { version } = accepted;
      // Where somebody began to make a key.
      if (isFence(version)) return NEVER;
      const { body } = version;
      const isOpen = openers.some((opener) => opener.open(cluster.space.user, body) !== null);
      return isOpen ? takeAll(stored, accepted) : null;
    }),
    (line) => void doubts.push(line),
  );

/** The version of a record that servers agree on and none of these opens. It is looked at only, so that nobody spreads it. */
async function sealedOtherwise(cluster: Cluster, openers: readonly Opener[]): Promise<Vid | null> {
  const version = (await glance(cluster, KEY_NAME))?.version;
  if (!version || isFence(version)) return null;
  const isOpen = openers.some((one) => one.open(cluster.space.user, version.body) !== null);
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

/** What makes a record the current one, where this version of it still is (none: where there is none). */
const proposalOf = ({ ports }: Cluster, body: Uint8Array, vid: Vid | null = null): Proposal => ({
  content: { ...tombstone(ports.random.bytes(16).toHex()), deleted: false, body },
  condition: { vid },
  supply: null,
});

/** Proposes a new master key, unless another client does just then. */
async function make(cluster: Cluster, opener: Opener): Promise<void> {
  const { random } = cluster.ports;
  const wrap = await opener.fresh(random);
  const master = random.bytes(MASTER_BYTES);
  const body = wrapMaster([wrap], cluster.space.user, master, random.bytes(NONCE_BYTES));
  const outcome = await propose(cluster, KEY_NAME, proposalOf(cluster, body));
  // What another client of this user proposed meanwhile opens only once the password is stretched for it.
  if (outcome.is === "failed" && !(await opener.learn(cluster.space.user)))
    throw new DfsError("tooFew", `no key could be made: ${outcome.why}`);
}

const tooFewLine = ({ replies, view }: Reading): string =>
  `${replies.size} of ${view.members.length} servers answer: too few to find the key of your files`;

/**
 * Seals the master key with these passwords from now on, and with no other; the first of `old` that opens it does. Throws
 * DfsError("login") where none does, ("tooFew") where it could not be changed.
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
  const wraps = await Promise.all(next.map((opener) => opener.fresh(random)));
  const body = wrapMaster(wraps, user, master, random.bytes(NONCE_BYTES * wraps.length));
  // The proposal too: it may have to accept anew what a server says was accepted last.
  const believing = opening(cluster, [...old, ...next], []);
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

/** What servers say of the key, once all that it takes to open it is there. */
async function readAll(cluster: Cluster, openers: readonly Opener[]): Promise<Reading> {
  for (let isFirst = true; ; isFirst = false) {
    const reading = isFirst ? null : await readName(opening(cluster, openers, []), KEY_NAME);
    if (reading && (!reading.current || isFence(reading.current.version)))
      await sealedOtherwise(cluster, openers);
    const learned = await Promise.all(openers.map((opener) => opener.learn(cluster.space.user)));
    if (reading && !learned.includes(true)) return reading;
  }
}

const notOpened = (): DfsError =>
  new DfsError("login", "the old password does not open the key of your files");
