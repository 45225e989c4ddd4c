/**
 * `verify`: has servers read back the pieces that they say they hold, block by block, and reports
 * which are damaged. Used by the verify command.
 */
import { DfsError, isDfsError } from "../../errors.ts";
import { KEY_NAME, type Name, type StoredName } from "../../file/names.ts";
import { pieceBytes } from "../../file/split.ts";
import { NAMES_IN_REPAIR, VERIFY_BYTES } from "../../limits.ts";
import { contentOf, isGone, type Version } from "../../version.ts";
import type { Cluster } from "../connect/cluster.ts";
import { currentOf } from "../files/get.ts";
import { copiesShort, damagedOf, holdersOf, lackingOf } from "../fetch/holders.ts";
import { namesIn } from "../files/pages.ts";
import { type Reading, readName } from "../agree/register.ts";
import { spacesIn } from "../files/spaces.ts";
import { cannotTell } from "./untold.ts";
import { inParallel } from "../connect/window.ts";

/** A copy of a piece (from 0) on the server in a slot. */
export interface Copy {
  readonly piece: number;
  readonly slot: number;
}

/** What was found out about one name. */
export interface Verified {
  readonly name: string;
  /** How many copies of pieces were looked at, and how many bytes of them were read back. */
  readonly copies: number;
  readonly bytes: number;
  /**
   * Copies that do not verify. Their servers no longer give them to anybody, and repair makes them
   * anew.
   */
  readonly bad: readonly Copy[];
  /** Copies that answering homes lack, where the version has too few copies. */
  readonly missing: readonly Copy[];
  /** The slots of servers that left a request unanswered, or cannot tell of the name. */
  readonly silent: readonly number[];
  /** Can the file be read from the good copies? */
  readonly isReadable: boolean;
  /** Why nothing could be found out; null where something was. */
  readonly problem: string | null;
}

export interface VerifyOptions {
  /** The share of the blocks that is read back, from 0 to 1. */
  readonly sample: number;
  /** Called with the number of bytes that servers have just read back. */
  readonly progress?: (bytes: number) => void;
}

/**
 * Verifies these names, or with null all names of all users whose names this user may see. Throws
 * DfsError("tooFew") when no server answers.
 */
export async function* verifyAll(
  cluster: Cluster,
  names: readonly Name[] | null,
  options: VerifyOptions,
): AsyncGenerator<Verified> {
  // Verifying is about every server, so a silent server gets another chance.
  await cluster.reachSilent(() => cluster.silent.length === 0);
  const spaces = names ? [cluster] : await spacesIn(cluster);
  for (const space of spaces) yield* verifySpace(space, names, options);
}

async function* verifySpace(
  cluster: Cluster,
  names: readonly Name[] | null,
  options: VerifyOptions,
): AsyncGenerator<Verified> {
  let batch: StoredName[] = [];
  const flush = async (): Promise<Verified[]> => {
    const done: (Verified | null)[] = [];
    await inParallel(batch.entries(), NAMES_IN_REPAIR, async ([i, name]) => {
      done[i] = await verifyName(cluster, name, options, names !== null);
    });
    batch = [];
    return done.filter((one) => one !== null);
  };
  for await (const name of names?.map((one) => cluster.space.stored(one)) ?? allNames(cluster)) {
    batch.push(name);
    if (batch.length >= NAMES_IN_REPAIR) yield* await flush();
  }
  yield* await flush();
}

async function* allNames(cluster: Cluster): AsyncGenerator<StoredName> {
  for await (const { name } of namesIn(cluster, "", false)) if (name !== KEY_NAME) yield name;
}

/** Verifies one name; null where there is no such name, and nobody named it. */
async function verifyName(
  cluster: Cluster,
  name: StoredName,
  options: VerifyOptions,
  wasNamed: boolean,
): Promise<Verified | null> {
  try {
    const reading = await readName(cluster, name, { patienceMs: null });
    if (!wasNamed && reading.is === "current" && isGone(reading.current?.version ?? null))
      return null;
    const version = currentOf(cluster, cluster.space.shown(name), reading);
    return await verifyVersion(cluster, name, version, reading, options);
  } catch (error) {
    if (!isDfsError(error)) throw error;
    const nothing = { copies: 0, bytes: 0, bad: [], missing: [], silent: [] };
    return {
      name: cluster.space.shown(name),
      ...nothing,
      isReadable: false,
      problem: error.message,
    };
  }
}

async function verifyVersion(
  cluster: Cluster,
  name: StoredName,
  version: Version,
  reading: Reading,
  { sample, progress = () => {} }: VerifyOptions,
): Promise<Verified> {
  const { replies, view } = reading;
  const cid = contentOf(version);
  const holders = holdersOf(version, replies);
  const good = holders.map((slots) => new Set(slots));
  const bad: Copy[] = [];
  const gone: Copy[] = [];
  const silent = new Set(cannotTell(cluster, reading));
  let bytes = 0;
  const verify = async ({ piece, slot }: Copy): Promise<void> => {
    const size = pieceBytes(version, piece);
    for (let offset = 0; offset === 0 || offset < size; offset += VERIFY_BYTES) {
      if (cluster.ports.random.fraction() >= sample) continue;
      const length = Math.min(VERIFY_BYTES, size - offset);
      await cluster.call(slot, "verify", { cid, piece, offset, length });
      bytes += length;
      progress(length);
    }
  };
  const copies = copiesIn(holders);
  await inParallel(copies, Math.max(1, copies.length), async (copy) => {
    try {
      await verify(copy);
    } catch (error) {
      if (!isDfsError(error)) throw error;
      good[copy.piece]?.delete(copy.slot);
      if (error.code === "badPiece") bad.push(copy);
      else if (error.code === "noPiece") gone.push(copy);
      else silent.add(copy.slot);
    }
  });
  bad.push(...copiesIn(damagedOf(version, replies)));
  for (const { slot } of await stillClaimed(cluster, name, version, gone)) silent.add(slot);
  const found = good.filter((slots) => slots.size > 0).length;
  const isShort = copiesShort(version, holders, view.places.length) > 0;
  return {
    name: cluster.space.shown(name),
    copies: copies.length,
    bytes,
    bad,
    // A version that has all its copies is missing none, wherever they lie.
    missing: isShort
      ? copiesIn(lackingOf(version, replies, view.config)).filter(
          ({ piece, slot }) => !bad.some((one) => one.piece === piece && one.slot === slot),
        )
      : [],
    silent: [...silent],
    isReadable: found >= version.needed,
    problem: null,
  };
}

/**
 * Those of the `gone` copies that their servers still say they hold. The others were moved between
 * the look and the reading.
 */
async function stillClaimed(
  cluster: Cluster,
  name: StoredName,
  version: Version,
  gone: readonly Copy[],
): Promise<readonly Copy[]> {
  if (gone.length === 0) return [];
  const { replies } = await readName(cluster, name, { patienceMs: null });
  const holders = holdersOf(version, replies);
  return gone.filter(({ piece, slot }) => holders[piece]?.includes(slot));
}

const copiesIn = (slotsOf: readonly (readonly number[])[]): Copy[] =>
  slotsOf.flatMap((slots, piece) => slots.map((slot) => ({ piece, slot })));

/** "5%", "0.5 %" or "100%" as a share. Throws DfsError("usage"). */
export function shareOf(text: string): number {
  const percent = Number(/^(\d+(?:\.\d+)?) ?%$/.exec(text)?.[1]);
  if (percent > 0 && percent <= 100) return percent / 100;
  throw new DfsError("usage", `${text} is no share; write it as in 5%, up to 100%`);
}
