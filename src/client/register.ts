/** What is current of a name: reading it, and settling it where that is in doubt (docs/consistency.md section 3). */
import { DfsError } from "../errors.ts";
import { DOUBT_PAUSE_MS, DOUBT_TRIES, PROPOSE_MS, READ_PATIENCE_MS } from "../limits.ts";
import {
  type Accepted,
  type Ballot,
  childOf,
  tombstone,
  type Version,
  type Vid,
} from "../version.ts";
import { vouchedFor } from "./ballots.ts";
import { believed, believedInEnd } from "./believe.ts";
import type { Cluster, Replies } from "./cluster.ts";
import { hearsMore } from "./silent.ts";
import type { View } from "./view.ts";
import { canAccept, canRead, decide, select } from "./decide.ts";
import { backOffMs, pause } from "./pause.ts";
import { acceptAndCommit, ballotsOf, prepare, registersOf, sendCommit } from "./rounds.ts";

/** What READ told. "current" is certain; otherwise `current` is merely the newest that anybody knows. */
export interface Reading {
  readonly is: "current" | "tooFew" | "doubt";
  readonly current: Accepted | null;
  readonly replies: Replies<"read">;
  /** What the replies were asked under. */
  readonly view: View;
}

export interface ReadHow {
  /** Once it is told what is current, who has not answered is waited for only so long; null: for as long as it shows signs of life. */
  readonly patienceMs?: number | null;
  /** Are small pieces to come along? */
  readonly pieces?: boolean;
}

/** Reads a name, and finishes what a writer left in doubt. */
export async function readName(
  cluster: Cluster,
  name: string,
  { patienceMs = READ_PATIENCE_MS, pieces = false }: ReadHow = {},
): Promise<Reading> {
  for (let tries = 0; ; tries++) {
    const { arrivals } = cluster;
    const seen = cluster.guard?.seenOf(name) ?? null;
    const { replies: all, view } = await cluster.ask(
      "read",
      () => ({ name, asked: pieces ? cluster.live : [] }),
      (so, { quorum }) => {
        const told = registersOf(believed(cluster, name, quorum, so));
        return decide(quorum, told).is === "current" ? patienceMs : null;
      },
    );
    const replies = await believedInEnd(cluster, name, view.quorum, all);
    const decision = decide(view.quorum, registersOf(replies));
    if (decision.is === "current") {
      const version = decision.current?.version ?? null;
      cluster.guard?.check(name, seen, version, view.quorum, replies);
      cluster.guard?.saw(name, version);
      if (decision.lagging && decision.current)
        await sendCommit(cluster, name, decision.current, false, view.config.epoch);
      return { ...decision, replies, view };
    }
    const { current } = select(registersOf(replies));
    if (decision.is === "tooFew") {
      if (await hearsMore(cluster, arrivals)) continue;
      if (canRead(view.quorum, all.keys()) && cluster.guard) throw notBelieved(cluster, name);
      return { is: "tooFew", current, replies, view };
    }
    if (tries < DOUBT_TRIES) {
      await pause(cluster, DOUBT_PAUSE_MS);
      continue;
    }
    const settled = await settle(cluster, name);
    if (settled === "failed" && (await hearsMore(cluster, arrivals))) continue;
    if (settled === "failed") return { is: "doubt", current, replies, view };
    cluster.guard?.check(name, seen, settled?.version ?? null, view.quorum, replies);
    return { is: "current", current: settled, replies, view };
  }
}

/** So many servers answer, and too few of them say what can be. */
const notBelieved = (cluster: Cluster, name: string): DfsError =>
  new DfsError(
    "integrity",
    `${cluster.shown(name)}: what the servers say of it is not authentic, or contradicts itself`,
  );

/** The current value, where one look at the registers tells it. */
export async function glance(cluster: Cluster, name: string): Promise<Accepted | null> {
  const { replies, view } = await cluster.ask(
    "read",
    () => ({ name, asked: [] }),
    (so, { quorum }) => (canAccept(quorum, so.keys()) ? 0 : null),
  );
  const told = registersOf(await believedInEnd(cluster, name, view.quorum, replies));
  const decision = decide(view.quorum, told);
  return decision.is === "current" ? decision.current : null;
}

/**
 * Makes sure that what is current is chosen, and returns it; with `above`, at a fresh ballot above that one in any case
 * (a tombstone where there is nothing), and with `revised`, as that makes it: what lies where may change, the content never.
 */
export async function settle(
  cluster: Cluster,
  name: string,
  above?: Ballot,
  revised: (version: Version) => Version = (version) => version,
): Promise<Accepted | null | "failed"> {
  const { clock, random } = cluster.ports;
  const ballots = ballotsOf(cluster, above);
  const until = clock.now() + PROPOSE_MS;
  for (let tries = 0; clock.now() < until; tries++) {
    if (tries > 0) await pause(cluster, backOffMs(cluster, tries));
    const ballot = ballots.next();
    const own = random.bytes(16).toHex();
    const wanted = { ballot, vid: own, enough: canRead, supply: null, until };
    const { granted, view, answered } = await prepare(cluster, name, ballots, wanted);
    if (!canRead(view.quorum, granted.keys())) {
      // Those that refused will go along with a higher ballot.
      if (answered.length === granted.size) return "failed";
      continue;
    }
    const { current, isCommitted } = select(registersOf(granted));
    if (above === undefined && (isCommitted || current === null)) return current;
    const floor = bornOn(granted);
    if (current === null && floor >= ballot) {
      ballots.bearAbove(floor);
      continue;
    }
    const next = current ? revised(current.version) : fenceOf(cluster, name, ballot, floor, own);
    const { epoch } = view.config;
    const attempting = { ballot, version: next, epoch, until };
    const result = await acceptAndCommit(cluster, name, ballots, attempting);
    if (result === "chosen") return { ballot, version: next };
    if (result === "tooFew") return "failed";
  }
  return "failed";
}

/** What a new life of a name is born on: all before it was forgotten up to there, as two of these servers say. */
export const bornOn = (granted: Replies<"prepare">): Ballot =>
  vouchedFor([...granted.values()].map((reply) => reply.floor));

/** The value that stands for "absent" where one must be accepted. */
export function fenceOf(
  cluster: Cluster,
  name: string,
  ballot: Ballot,
  floor: Ballot,
  vid: Vid,
): Version {
  const version = childOf(null, floor, tombstone(vid));
  return cluster.guard?.sign(name, version, ballot) ?? version;
}
