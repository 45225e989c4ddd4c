/**
 * propose: one write, from its first promise to its outcome (docs/consistency.md section 3). Used
 * by put, remove, change and unlock.
 */
import type { StoredName } from "../../file/names.ts";
import { isDfsError } from "../../errors.ts";
import { PROPOSE_MS, WATCH_MS } from "../../limits.ts";
import {
  type Ballot,
  childOf,
  type Content,
  isAncestor,
  type Version,
  type Vid,
} from "../../version.ts";
import type { Cluster, Replies } from "../connect/cluster.ts";
import { areDead, type Attempt, type Condition, nextStep, select } from "./decide.ts";
import { canAccept, shortOf } from "../../quorum.ts";
import { birthFloorOf, fenceOf, readOnce } from "./register.ts";
import { backOffMs, pause } from "../connect/pause.ts";
import { acceptAndCommit, ballotsOf, heldIn, prepare, registersOf, type Supply } from "./rounds.ts";
import { hearsMore, reachToChange } from "../connect/silent.ts";

export interface Proposal {
  /**
   * Without a `supply`, a content with pieces is that of the version that the condition names,
   * whose copies need not be counted: whoever holds them goes on to hold them.
   */
  readonly content: Content;
  readonly condition: Condition | null;
  readonly supply: Supply | null;
  /** The only epoch at which it may be accepted. Without it, any epoch will do. */
  readonly epoch?: number;
  /** Signs the version once it has its place in the chain. Left out where nothing is sealed. */
  readonly sign?: (version: Version, ballot: Ballot) => Version;
}

/** How a proposal ended. "failed" has no effect, now or later. "unknown" may have one. */
export type Outcome =
  | { readonly is: "done"; readonly current: Version }
  | { readonly is: "refused"; readonly current: Version | null }
  | { readonly is: "nothingToDelete" }
  | { readonly is: "failed" | "unknown"; readonly why: string };

/**
 * Backs off, and meanwhile checks what became of the attempts so far, because a history soon
 * becomes too long to tell. Returns the current version once one of the attempts was chosen. Clears
 * `attempts` once a chosen value above them all does not descend from them: then no proposer can
 * build on one of them, for it would meet that value too.
 */
async function backOffWatching(
  cluster: Cluster,
  name: StoredName,
  vid: Vid,
  attempts: Attempt[],
  tries: number,
): Promise<Version | null> {
  const until = cluster.ports.clock.now() + backOffMs(cluster, tries);
  for (;;) {
    // rule: attempts-are-watched
    if (attempts.length > 0) {
      const current = await readOnce(cluster, name);
      if (current && (current.version.vid === vid || isAncestor(current.version, vid)))
        return current.version;
      if (current && areDead(attempts, current)) attempts.length = 0;
    }
    const left = until - cluster.ports.clock.now();
    if (left <= 0) return null;
    await pause(cluster, Math.min(left, attempts.length > 0 ? WATCH_MS : left));
  }
}

/** propose: makes `content` the next version of the name, or says why not. */
export async function propose(
  cluster: Cluster,
  name: StoredName,
  proposal: Proposal,
): Promise<Outcome> {
  const { content, condition, supply, sign = (version: Version) => version } = proposal;
  const { clock, random } = cluster.ports;
  const ballots = ballotsOf(cluster);
  const attempts: Attempt[] = [];
  let until = clock.now() + PROPOSE_MS;
  const giveUp = (why: string): Outcome => ({
    is: attempts.length > 0 ? "unknown" : "failed",
    why,
  });
  const own = { vid: content.vid, deletes: content.deleted, condition, attempts };

  let covers = 0;
  for (let tries = 0; clock.now() < until; tries++) {
    if (tries > covers) {
      const fate = await backOffWatching(cluster, name, content.vid, attempts, tries - covers);
      if (fate) return { is: "done", current: fate };
    }
    await reachToChange(cluster);
    const { arrivals } = cluster;
    if (!canAccept(cluster.view.quorum, cluster.live)) return giveUp(tooFewLine(cluster));
    const ballot = ballots.next();
    const seen = cluster.space.guard?.seenOf(name) ?? null;
    // R promises would be safe. But a value that fewer than W servers can take would only leave the
    // name in doubt.
    const prepareRequest = { ballot, vid: content.vid, enough: canAccept, supply, until };
    const { granted, view, answered } = await prepare(cluster, name, ballots, prepareRequest);
    // Another configuration is in force already. The register of the new one may be another one.
    if (view.config.epoch !== (proposal.epoch ?? view.config.epoch))
      return { is: "refused", current: null };
    if (!canAccept(view.quorum, granted.keys())) {
      // Servers that refused have promised a higher ballot to somebody else. They will accept a
      // higher one.
      const isRefused = answered.length > granted.size;
      if (isRefused || (await hearsMore(cluster, arrivals, tries))) continue;
      return giveUp(tooFewLine(cluster, answered));
    }
    const selected = select(registersOf(granted));
    const current = selected.current?.version ?? null;
    const floor = birthFloorOf(granted);
    // A new life begins above all that was forgotten before.
    if (current === null && floor >= ballot) {
      ballots.raiseFloor(floor);
      continue;
    }
    cluster.space.guard?.check(name, seen, current, view.quorum, granted);
    const step = nextStep(own, selected, [floor]);
    if (step.do === "unknown")
      return giveUp("others wrote meanwhile, and what became of this write cannot be told");
    if (step.do === "refuse") return { is: "refused", current };
    if (step.do === "nothingToDelete") return { is: "nothingToDelete" };
    if (step.do === "write" && supply && !supply.isCovered(heldIn(granted))) {
      const before = clock.now();
      const problem = await coverOrWhy(supply, heldIn(granted));
      // It takes as long as the bytes take, and keeps nobody from writing.
      until += clock.now() - before;
      // A server that is far ahead in this name promised nothing, and so took no pieces. It may be
      // the one that the pieces need.
      const isSomeAhead = answered.length > granted.size;
      if ((problem !== null && !isSomeAhead) || ++covers > cluster.view.members.length)
        return giveUp(problem ?? (await supply.shortage(heldIn(granted))));
      if (problem !== null) ballots.fellShort();
      continue;
    }
    const asItIs = current ?? fenceOf(cluster, name, ballot, floor, random.bytes(16).toHex());
    const place = { parent: current, floor, now: clock.wall(), last: latestPut(granted) };
    const inherits = supply === null && content.pieces > 0 && current !== null;
    const child = childOf(place, inherits ? inheriting(content, current) : content);
    const next = step.do === "write" ? sign(child, ballot) : asItIs;
    if (next.vid === content.vid) attempts.push({ ballot, parentSeq: next.seq - 1 });
    const { epoch } = view.config;
    const acceptRequest = { ballot, version: next, epoch, until };
    const result = await acceptAndCommit(cluster, name, ballots, acceptRequest);
    if (result === "tooFew" && !(await hearsMore(cluster, arrivals, tries)))
      return giveUp(tooFewLine(cluster));
    if (result !== "chosen") continue;
    cluster.space.guard?.saw(name, next);
    return step.do === "refuseBehindOwn"
      ? { is: "refused", current }
      : { is: "done", current: next };
  }
  return giveUp("too many others write this name at once");
}

/** The latest time at which any version was put that these promises tell of; 0 for none. */
const latestPut = (granted: Replies<"prepare">): number =>
  Math.max(
    0,
    ...[...granted.values()].flatMap(({ register: { acc, com } }) =>
      [acc, com].map((value) => value?.version.put ?? 0),
    ),
  );

/**
 * The pieces of the parent, wherever they lie by now: its ring may be another since it was read.
 */
const inheriting = (
  content: Content,
  { cid, pieces, needed, copies, striped, ring, at, size }: Version,
): Content => ({ ...content, cid, pieces, needed, copies, striped, ring, at, size });

/** null once all pieces have their copies; else why not. */
async function coverOrWhy(
  supply: Supply,
  held: ReadonlyMap<number, readonly number[]>,
): Promise<string | null> {
  try {
    return (await supply.cover(held)) ? null : await supply.shortage(held);
  } catch (error) {
    if (!isDfsError(error)) throw error;
    return error.message;
  }
}

/** How many servers go along, in the group that has too few. */
function tooFewLine(cluster: Cluster, answered: readonly number[] = cluster.live): string {
  const short = shortOf(cluster.view.quorum, answered);
  return short
    ? `${short.count} of ${short.of} servers go along, and it takes ${short.takes}`
    : "too few servers go along";
}
