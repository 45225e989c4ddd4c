/**
 * Reads what is current of a name, and settles it where that is in doubt (docs/consistency.md
 * section 3). Used by everything that reads or repairs a name.
 */
import type { StoredName } from "../../file/names.ts";
import { DfsError } from "../../errors.ts";
import { DOUBT_PAUSE_MS, DOUBT_TRIES, PROPOSE_MS, READ_PATIENCE_MS } from "../../limits.ts";
import {
  type Accepted,
  type Ballot,
  childOf,
  tombstone,
  type Version,
  type Vid,
} from "../../version.ts";
import { vouchedFor } from "./ballots.ts";
import { believed, believedInEnd } from "./believe.ts";
import type { Cluster, Replies } from "../connect/cluster.ts";
import { hearsMore } from "../connect/silent.ts";
import type { View } from "../connect/view.ts";
import { decide, select } from "./decide.ts";
import { canAccept, canRead } from "../../quorum.ts";
import { backOffMs, pause } from "../connect/pause.ts";
import { acceptAndCommit, ballotsOf, prepare, registersOf, sendCommit } from "./rounds.ts";

/**
 * What READ told. With "current", `current` is certain. Otherwise it is only the newest value that
 * any server knows.
 */
export interface Reading {
  readonly is: "current" | "tooFew" | "doubt";
  readonly current: Accepted | null;
  readonly replies: Replies<"read">;
  /** The view under which the replies were asked for. */
  readonly view: View;
}

export interface ReadOptions {
  /**
   * Once it is certain what is current, how long to wait for servers that have not answered. null:
   * as long as they show signs of life.
   */
  readonly patienceMs?: number | null;
  /** Shall small pieces come along with the replies? */
  readonly pieces?: boolean;
}

/** Reads a name, and finishes what a writer left in doubt. */
export async function readName(
  cluster: Cluster,
  name: StoredName,
  { patienceMs = READ_PATIENCE_MS, pieces = false }: ReadOptions = {},
): Promise<Reading> {
  for (let tries = 0; ; tries++) {
    const { arrivals } = cluster;
    const seen = cluster.space.guard?.seenOf(name) ?? null;
    const { replies: all, view } = await cluster.ask(
      "read",
      () => ({ name, asked: pieces ? cluster.live : [] }),
      (soFar, { quorum }) => {
        const registers = registersOf(believed(cluster, name, quorum, soFar));
        return decide(quorum, registers).is === "current" ? patienceMs : null;
      },
    );
    const replies = await believedInEnd(cluster, name, view.quorum, all);
    const decision = decide(view.quorum, registersOf(replies));
    if (decision.is === "current") {
      const version = decision.current?.version ?? null;
      cluster.space.guard?.check(name, seen, version, view.quorum, replies);
      cluster.space.guard?.saw(name, version);
      if (decision.lagging && decision.current)
        await sendCommit(cluster, name, decision.current, false, view.config.epoch);
      return { ...decision, replies, view };
    }
    const { current } = select(registersOf(replies));
    if (decision.is === "tooFew") {
      if (await hearsMore(cluster, arrivals, tries)) continue;
      if (canRead(view.quorum, all.keys()) && cluster.space.guard) throw notBelieved(cluster, name);
      return { is: "tooFew", current, replies, view };
    }
    if (tries < DOUBT_TRIES) {
      await pause(cluster, DOUBT_PAUSE_MS);
      continue;
    }
    const settled = await settle(cluster, name);
    if (settled === "failed" && (await hearsMore(cluster, arrivals, tries))) continue;
    if (settled === "failed") return { is: "doubt", current, replies, view };
    cluster.space.guard?.check(name, seen, settled?.version ?? null, view.quorum, replies);
    return { is: "current", current: settled, replies, view };
  }
}

/** Enough servers answer, but what too many of them say cannot be true. */
const notBelieved = (cluster: Cluster, name: StoredName): DfsError =>
  new DfsError(
    "integrity",
    `${cluster.space.shown(name)}: what the servers say of it is not authentic, or contradicts itself`,
  );

/**
 * The current value, if one round of READ can tell it; else null. It waits for nothing more, and
 * settles nothing.
 */
export async function readOnce(cluster: Cluster, name: StoredName): Promise<Accepted | null> {
  const { replies, view } = await cluster.ask(
    "read",
    () => ({ name, asked: [] }),
    (soFar, { quorum }) => (canAccept(quorum, soFar.keys()) ? 0 : null),
  );
  const registers = registersOf(await believedInEnd(cluster, name, view.quorum, replies));
  const decision = decide(view.quorum, registers);
  return decision.is === "current" ? decision.current : null;
}

/**
 * Makes sure that the current value is chosen, and returns it.
 *
 * With `above`, the value is accepted again at a new ballot above that one, even if it was chosen
 * before. Where there is no value, a tombstone is accepted. `revise` may change the ring of the
 * version, never its content.
 */
export async function settle(
  cluster: Cluster,
  name: StoredName,
  above?: Ballot,
  revise: (version: Version) => Version = (version) => version,
): Promise<Accepted | null | "failed"> {
  const { clock, random } = cluster.ports;
  const ballots = ballotsOf(cluster, above);
  const until = clock.now() + PROPOSE_MS;
  for (let tries = 0; clock.now() < until; tries++) {
    if (tries > 0) await pause(cluster, backOffMs(cluster, tries));
    const ballot = ballots.next();
    const own = random.bytes(16).toHex();
    const prepareRequest = { ballot, vid: own, enough: canRead, supply: null, until };
    const { granted, view, answered } = await prepare(cluster, name, ballots, prepareRequest);
    if (!canRead(view.quorum, granted.keys())) {
      // Servers that refused will accept a higher ballot.
      if (answered.length === granted.size) return "failed";
      continue;
    }
    const { current, isCommitted } = select(registersOf(granted));
    if (above === undefined && (isCommitted || current === null)) return current;
    const floor = birthFloorOf(granted);
    if (current === null && floor >= ballot) {
      ballots.raiseFloor(floor);
      continue;
    }
    const next = current ? revise(current.version) : fenceOf(cluster, name, ballot, floor, own);
    const { epoch } = view.config;
    const acceptRequest = { ballot, version: next, epoch, until };
    // rule: fence-is-accepted
    const result = await acceptAndCommit(cluster, name, ballots, acceptRequest);
    if (result === "chosen") return { ballot, version: next };
    if (result === "tooFew") return "failed";
  }
  return "failed";
}

/**
 * The birth floor of a new life: the name was forgotten up to there, as two of these servers say.
 */
export const birthFloorOf = (granted: Replies<"prepare">): Ballot =>
  vouchedFor([...granted.values()].map((reply) => reply.floor));

/**
 * The tombstone that stands for "absent" where some value must be accepted. No promise tells of any
 * version.
 */
export function fenceOf(
  cluster: Cluster,
  name: StoredName,
  ballot: Ballot,
  floor: Ballot,
  vid: Vid,
): Version {
  const version = childOf(
    { parent: null, floor, now: cluster.ports.clock.wall(), last: 0 },
    tombstone(vid),
  );
  return cluster.space.guard?.sign(name, version, ballot) ?? version;
}
