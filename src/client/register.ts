/** What is current of a name: reading it, and settling it where that is in doubt (CONSISTENCY.md section 3). */
import { DOUBT_PAUSE_MS, DOUBT_TRIES, PROPOSE_MS, READ_PATIENCE_MS } from "../limits.ts";
import {
  type Accepted,
  type Ballot,
  childOf,
  highest,
  tombstone,
  type Version,
} from "../version.ts";
import type { Cluster, Replies, View } from "./cluster.ts";
import { canAccept, canRead, decide, select } from "./decide.ts";
import {
  acceptAndCommit,
  backOffMs,
  Ballots,
  pause,
  prepare,
  registersOf,
  sendCommit,
} from "./rounds.ts";

/** What READ told. "current" is certain; otherwise `current` is merely the newest that anybody knows. */
export interface Reading {
  readonly is: "current" | "tooFew" | "doubt";
  readonly current: Accepted | null;
  readonly replies: Replies<"read">;
  /** What the replies were asked under. */
  readonly view: View;
}

/**
 * Reads a name, and finishes what a writer left in doubt. Once that is told, who has not answered is waited for only so long;
 * null: for as long as it shows signs of life, where it matters what every server holds.
 */
export async function readName(
  cluster: Cluster,
  name: string,
  patienceMs: number | null = READ_PATIENCE_MS,
): Promise<Reading> {
  for (let tries = 0; ; tries++) {
    const { replies, view } = await cluster.ask(
      "read",
      () => ({ name }),
      (so, { quorum }) => (decide(quorum, registersOf(so)).is === "current" ? patienceMs : null),
    );
    const decision = decide(view.quorum, registersOf(replies));
    if (decision.is === "current") {
      if (decision.lagging && decision.current)
        await sendCommit(cluster, name, decision.current, false, view.config.epoch);
      return { ...decision, replies, view };
    }
    const { current } = select(registersOf(replies));
    if (decision.is === "tooFew") return { is: "tooFew", current, replies, view };
    if (tries < DOUBT_TRIES) {
      await pause(cluster, DOUBT_PAUSE_MS);
      continue;
    }
    const settled = await settle(cluster, name);
    return settled === "failed"
      ? { is: "doubt", current, replies, view }
      : { is: "current", current: settled, replies, view };
  }
}

/** The current value, where one look at the registers tells it. */
export async function glance(cluster: Cluster, name: string): Promise<Accepted | null> {
  const { replies, view } = await cluster.ask(
    "read",
    () => ({ name }),
    (so, { quorum }) => (canAccept(quorum, so.keys()) ? 0 : null),
  );
  const decision = decide(view.quorum, registersOf(replies));
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
  const ballots = new Ballots(cluster, above ?? 0n);
  const until = clock.now() + PROPOSE_MS;
  for (let tries = 0; clock.now() < until; tries++) {
    if (tries > 0) await pause(cluster, backOffMs(cluster, tries));
    const ballot = ballots.next();
    const own = random.bytes(16).toHex();
    const { granted, view, answered } = await prepare(
      cluster,
      name,
      ballots,
      ballot,
      own,
      canRead,
      null,
    );
    if (!canRead(view.quorum, granted.keys())) {
      // Those that refused will go along with a higher ballot.
      if (answered.length === granted.size) return "failed";
      continue;
    }
    const { current, isCommitted } = select(registersOf(granted));
    if (above === undefined && (isCommitted || current === null)) return current;
    const floor = highest([...granted.values()].map((reply) => reply.floor));
    const next = current ? revised(current.version) : childOf(null, floor, tombstone(own));
    const { epoch } = view.config;
    const result = await acceptAndCommit(cluster, name, ballots, ballot, next, epoch);
    if (result === "chosen") return { ballot, version: next };
    if (result === "tooFew") return "failed";
  }
  return "failed";
}
