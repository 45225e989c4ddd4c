/**
 * What a client with a user's keys knows better than its servers: what names are called, which
 * versions the user really made, and which of them this computer has seen (docs/consistency.md
 * section 11). Servers, and clients without keys, keep what they are given. Used by every room that
 * reads or writes names, through the cluster.
 */
import { DfsError } from "../../errors.ts";
import { encode, struct, text } from "../../bytes.ts";
import { createHash } from "node:crypto";
import { NO_ATTRIBUTES } from "../../file/attributes.ts";
import { NONCE_BYTES, type Keys } from "../../file/keys.ts";
import { CONFIG_NAME, KEY_NAME, type Name, type StoredName } from "../../file/names.ts";
import { CONTENT_KEY_BYTES, sealedBytes } from "../../file/seal.ts";
import { type Facts, readSigned, type Signed, signVersion } from "../../file/sealed_manifest.ts";
import { openName, sealName } from "../../file/sealed_name.ts";
import type { Random } from "../../io/ports.ts";
import { USER_BYTES, SEALED_NAME_BYTES } from "../../limits.ts";
import type { Ballot, Version, Vid } from "../../version.ts";
import { isBefore, isFence, type Judge, NEVER_THERE, takeAll } from "./judge.ts";
import { canRead, type Quorum } from "../../quorum.ts";

/**
 * A version of a name that was current once: its position in the chain, and the ballot at which it
 * was proposed.
 */
export interface Seen {
  readonly birthFloor: Ballot;
  readonly seq: number;
  readonly ballot: Ballot;
  readonly vid: Vid;
}

/**
 * The newest version of each name that this computer has seen. The key of a name does not tell the
 * name.
 */
export interface Memory {
  recall(key: string): Seen | null;
  note(key: string, seen: Seen): void;
  /** Where the memory lies, for messages. */
  readonly location: string;
}

/** The facts of a version without content. */
const NOTHING: Facts = {
  bytes: 0,
  key: new Uint8Array(CONTENT_KEY_BYTES),
  attributes: NO_ATTRIBUTES,
};

const keyCodec = struct({ user: text(USER_BYTES), name: text(SEALED_NAME_BYTES) });

/** The records of master keys that a user's password opens. */
export interface KeyRecords {
  /**
   * Does the password open this record? false also where finding out takes time: then `learn` comes
   * first.
   */
  isOpened(record: Uint8Array): boolean;
  /** Takes that time. true: more is known than before. */
  learn(): Promise<boolean>;
}

export class Guard {
  readonly keys: Keys;
  readonly #memory: Memory;
  readonly #random: Random;
  readonly #records: KeyRecords;
  readonly #signed = new WeakMap<Version, { stored: StoredName; signed: Signed | null }>();

  constructor(keys: Keys, memory: Memory, random: Random, records: KeyRecords) {
    this.keys = keys;
    this.#memory = memory;
    this.#random = random;
    this.#records = records;
  }

  /** true: some key records that could not be judged before can be judged now. */
  learn(): Promise<boolean> {
    return this.#records.learn();
  }

  /** The name as servers know it. */
  stored(name: string): StoredName {
    return sealName(this.keys, name);
  }

  /** The name as people know it; null where these keys did not seal it. */
  shown(stored: StoredName): Name | null {
    return openName(this.keys, stored);
  }

  /** The version as its user makes it, for a proposal at this ballot. */
  sign(
    stored: StoredName,
    version: Version,
    ballot: Ballot,
    roots: Uint8Array[] = [],
    facts: Facts = NOTHING,
  ): Version {
    const nonce = this.#random.bytes(NONCE_BYTES);
    return signVersion(this.keys, stored, version, ballot, roots, facts, nonce);
  }

  /**
   * What the user said of a version; null where they did not make it. It is worked out once,
   * because it is asked for again at each answer that comes.
   */
  #signedOf(stored: StoredName, version: Version): Signed | null {
    const known = this.#signed.get(version);
    if (known?.stored === stored) return known.signed;
    const signed = readSigned(this.keys, stored, version);
    this.#signed.set(version, { stored, signed });
    return signed;
  }

  /** What the user said of a version. Throws DfsError("integrity") where they did not make it. */
  read(stored: StoredName, version: Version): { facts: Facts; roots: Uint8Array[] } {
    const signed = this.#signedOf(stored, version);
    const isWhole = signed && sealedBytes(signed.facts.bytes) === version.size;
    if (isWhole && signed.roots.length === version.pieces) return signed;
    throw new DfsError("integrity", `${this.#labelOf(stored)}: no version of it is authentic`);
  }

  /**
   * Judges a value; null: nobody with the keys made it. A tombstone that nobody made stands for
   * "never there", which repair may have to say.
   */
  readonly judge: Judge = (stored, accepted) => {
    const { ballot, version } = accepted;
    const isKey = stored === KEY_NAME;
    if (isReserved(stored) && !isKey) return takeAll(stored, accepted);
    if (isFence(version)) return NEVER_THERE;
    // Without the key all files are lost. Repair must not spread what a server makes up in its
    // place.
    if (isKey) return this.#records.isOpened(version.body) ? takeAll(stored, accepted) : null;
    const signed = this.#signedOf(stored, version);
    if (!signed || signed.ballot > ballot || version.ring.length !== version.pieces) return null;
    const { birthFloor, seq } = version;
    return { isMade: true, birthFloor, seq };
  };

  /**
   * What this computer has seen of a name. It must be asked before the servers are, because other
   * commands may note newer versions meanwhile.
   */
  seenOf(stored: StoredName): Seen | null {
    return isReserved(stored) ? null : this.#memory.recall(keyOf(this.keys.user, stored));
  }

  /** Remembers a version that was chosen. */
  saw(stored: StoredName, version: Version | null): void {
    const now = isReserved(stored) ? null : this.#seenOf(stored, version);
    if (!now) return;
    const seen = this.seenOf(stored);
    if (!seen || isBefore(seen, now)) this.#memory.note(keyOf(this.keys.user, stored), now);
  }

  /**
   * Throws DfsError("integrity") where `current` is older than what this computer had seen.
   * "Absent" counts as a deletion, and so as newer, if enough servers to read have forgotten
   * everything up to the ballot of `seen`.
   */
  check(
    stored: StoredName,
    seen: Seen | null,
    current: Version | null,
    quorum: Quorum,
    replies: ReadonlyMap<number, { readonly floor: Ballot }>,
  ): void {
    if (!seen) return;
    const now = this.#seenOf(stored, current);
    const forgetful = [...replies].flatMap(([slot, { floor }]) =>
      floor < seen.ballot ? [] : [slot],
    );
    // Each position in the chain has one version only.
    const isOther = now !== null && !isBefore(seen, now) && now.vid !== seen.vid;
    if (now ? !isBefore(now, seen) && !isOther : canRead(quorum, forgetful)) return;
    throw this.#rolledBack(stored, current);
  }

  /** null: there is no version, or the user did not make it. */
  #seenOf(stored: StoredName, version: Version | null): Seen | null {
    const signed = version && this.#signedOf(stored, version);
    if (!signed) return null;
    const { birthFloor, seq, vid } = version;
    return { birthFloor, seq, vid, ballot: signed.ballot };
  }

  #rolledBack(stored: StoredName, current: Version | null): DfsError {
    const what = current ? "an older version of it than this computer has seen" : "nothing of it";
    const seen = current ? "" : ", and this computer has seen it";
    return new DfsError(
      "integrity",
      `${this.#labelOf(stored)}: the servers have ${what}${seen}; only if all of them were restored from a backup, or begun anew with empty folders, remove ${this.#memory.location}`,
    );
  }

  #labelOf(stored: StoredName): string {
    return this.shown(stored) ?? stored;
  }
}

/** The cluster's configuration and the wrapped key are checked in ways of their own. */
const isReserved = (stored: StoredName): boolean => stored === CONFIG_NAME || stored === KEY_NAME;

const keyOf = (user: string, name: StoredName): string =>
  createHash("sha256").update(encode(keyCodec, { user, name })).digest("hex").slice(0, 32);
