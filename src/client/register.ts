/** What is current of a name: reading it, and settling it where that is in doubt (CONSISTENCY.md section 3). */
import { DOUBT_PAUSE_MS, DOUBT_TRIES, PROPOSE_MS, READ_PATIENCE_MS } from "../limits.ts";
import { type Accepted, type Ballot, childOf, highest, tombstone } from "../version.ts";
import type { Cluster, Replies } from "./cluster.ts";
import { decide, select } from "./decide.ts";
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
}

/** Reads a name, and finishes what a writer left in doubt. */
export async function readName(cluster: Cluster, name: string): Promise<Reading> {
  for (let tries = 0; ; tries++) {
    const replies = await cluster.ask(
      "read",
      () => ({ name }),
      (so) => (decide(cluster.quorum, registersOf(so)).is === "current" ? READ_PATIENCE_MS : null),
    );
    const decision = decide(cluster.quorum, registersOf(replies));
    if (decision.is === "current") {
      if (decision.lagging && decision.current)
        await sendCommit(cluster, name, decision.current, false);
      return { ...decision, replies };
    }
    const { current } = select(registersOf(replies));
    if (decision.is === "tooFew") return { is: "tooFew", current, replies };
    if (tries < DOUBT_TRIES) {
      await pause(cluster, DOUBT_PAUSE_MS);
      continue;
    }
    const settled = await settle(cluster, name);
    return settled === "failed"
      ? { is: "doubt", current, replies }
      : { is: "current", current: settled, replies };
  }
}

/** The current value, where one look at the registers tells it. */
export async function glance(cluster: Cluster, name: string): Promise<Accepted | null> {
  const replies = await cluster.ask(
    "read",
    () => ({ name }),
    (so) => (so.size >= cluster.quorum.accept ? 0 : null),
  );
  const decision = decide(cluster.quorum, registersOf(replies));
  return decision.is === "current" ? decision.current : null;
}

/**
 * Makes sure that what is current is chosen, and returns it; with `above`, at a fresh ballot above that one in any case
 * (a tombstone where there is nothing).
 */
export async function settle(
  cluster: Cluster,
  name: string,
  above?: Ballot,
): Promise<Accepted | null | "failed"> {
  const { clock, random } = cluster.ports;
  const ballots = new Ballots(cluster, above ?? 0n);
  const until = clock.now() + PROPOSE_MS;
  for (let tries = 0; clock.now() < until; tries++) {
    if (tries > 0) await pause(cluster, backOffMs(cluster, tries));
    const ballot = ballots.next();
    const own = random.bytes(16).toHex();
    const { read } = cluster.quorum;
    const { granted, answered } = await prepare(cluster, name, ballots, ballot, own, read, null);
    if (granted.size < read) {
      if (answered < read) return "failed";
      continue;
    }
    const { current, isCommitted } = select(registersOf(granted));
    if (above === undefined && (isCommitted || current === null)) return current;
    const floor = highest([...granted.values()].map((reply) => reply.floor));
    const next = current?.version ?? childOf(null, floor, tombstone(own));
    const result = await acceptAndCommit(cluster, name, ballots, ballot, next);
    if (result === "chosen") return { ballot, version: next };
    if (result === "tooFew") return "failed";
  }
  return "failed";
}
