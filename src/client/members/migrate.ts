/**
 * Finishes a change of the members (model/members.ts). In the joint epoch every name's value is
 * accepted again, by a quorum of the servers before and of those after. Then the servers after
 * decide alone. Any operator may go on with a change that was begun. Used by all that change the
 * configuration, and by repair and rebalance.
 */
import { DfsError } from "../../errors.ts";
import { NAMES_IN_REPAIR } from "../../limits.ts";
import { highest } from "../../version.ts";
import { counted } from "../../counted.ts";
import { changeConfig, adoptChosen, install } from "../agree/change.ts";
import type { Cluster } from "../connect/cluster.ts";
import { canAccept } from "../../quorum.ts";
import { carryFloors } from "../agree/floors.ts";
import { pagesIn } from "../files/pages.ts";
import { settle } from "../agree/register.ts";
import { filesText, needOf } from "./safety.ts";
import { allSpacesIn, checkOperator } from "../files/spaces.ts";
import { inParallel } from "../connect/window.ts";

/** The members that are about to go, and still answer: what lies on them can still be read. */
export function departingIn(cluster: Cluster): number[] {
  const { voters, next } = cluster.view.config;
  return next ? voters.filter((slot) => !next.includes(slot) && cluster.peer(slot)) : [];
}

/** Finishes a change that was begun, whoever began it. Throws DfsError("tooFew", "forbidden"). */
export async function finishChange(cluster: Cluster): Promise<void> {
  checkOperator(cluster);
  await adoptChosen(cluster);
  for (let { config } = cluster.view; config.next; { config } = cluster.view) {
    const { quorum } = cluster.view;
    // From here on nothing is chosen at an earlier epoch any more.
    if (!canAccept(quorum, await install(cluster, 0n))) throw tooFew();
    // What all servers before had forgotten must not come back from servers that never knew of it.
    if (!(await carryFloors(cluster))) throw tooFew();
    // rule: every-name-migrates
    await migrate(cluster);
    await checkMoved(cluster);
    const leaving = config.leaving.filter((slot) => config.next?.includes(slot));
    const last = { ...config, voters: config.next, next: null, leaving };
    const outcome = await changeConfig(cluster, { ...last, epoch: config.epoch + 1 });
    if (outcome === "failed") throw tooFew();
  }
}

/**
 * Until the servers after decide alone, a file may have come that lies only on a server that goes.
 * Throws DfsError("failed").
 */
async function checkMoved(cluster: Cluster): Promise<void> {
  for (const slot of departingIn(cluster)) {
    const { files, first } = await needOf(cluster, slot);
    if (files > 0)
      throw new DfsError(
        "failed",
        `${counted(files, "file")} (as ${filesText(first.slice(0, 1), 1)}) ${files === 1 ? "lies" : "lie"} on ${cluster.labelOf(slot)} alone: dfs-tool repair moves them, and goes on with the change`,
      );
  }
}

/**
 * Has every name's current value accepted again, by a quorum of the servers before and of those
 * after. So each later quorum meets a ballot above all that was begun before.
 *
 * An attempt that only one server has accepted was promised by R of the servers before. So W of
 * them must list their names, also names that were only promised. W servers accept what is carried
 * over, above each promise.
 */
async function migrate(cluster: Cluster): Promise<void> {
  for (const space of await allSpacesIn(cluster)) await migrateSpace(space);
}

async function migrateSpace(cluster: Cluster): Promise<void> {
  for await (const { names, vouching, quorum } of pagesIn(cluster, "", false)) {
    if (!canAccept([quorum[0]], vouching)) throw tooFew();
    await inParallel(names, NAMES_IN_REPAIR, async ([name, answers]) => {
      const values = [...answers.values()].flatMap(({ acc, com }) => [acc?.ballot, com?.ballot]);
      const above = highest(values.map((ballot) => ballot ?? 0n));
      // rule: promised-are-carried
      if ((await settle(cluster, name, /* rule: accepted-anew */ above)) === "failed")
        throw tooFew();
    });
  }
}

/** The error of a change that cannot go on for now. */
export const tooFew = (): DfsError =>
  new DfsError(
    "tooFew",
    "too few servers answer to change who they are; what was begun goes on with dfs-tool repair",
  );
