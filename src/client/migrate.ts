/**
 * Bringing a change of the members to its end (model/members.ts): over the joint epoch every name's value is accepted anew, by a quorum
 * of the servers before and of those after; then those after decide alone. Whoever comes may go on with a change that was begun.
 */
import { DfsError } from "../errors.ts";
import { NAMES_IN_REPAIR } from "../limits.ts";
import { highest } from "../version.ts";
import { counted } from "./counted.ts";
import { changeConfig, goByChosen, install } from "./change.ts";
import type { Cluster } from "./cluster.ts";
import { canAccept } from "./decide.ts";
import { carryFloors } from "./floors.ts";
import { pagesIn } from "./list.ts";
import { settle } from "./register.ts";
import { filesText, needOf } from "./safety.ts";
import { allSpacesIn, checkOperator } from "./spaces.ts";
import { inParallel } from "./window.ts";

/** The members that are about to go, and still answer: what lies on them can be had. */
export function goersIn(cluster: Cluster): number[] {
  const { voters, next } = cluster.view.config;
  return next ? voters.filter((slot) => !next.includes(slot) && cluster.peer(slot)) : [];
}

/** Brings a change that was begun to its end, whoever began it. Throws DfsError("tooFew", "forbidden"). */
export async function finishChange(cluster: Cluster): Promise<void> {
  checkOperator(cluster);
  await goByChosen(cluster);
  for (let { config } = cluster.view; config.next; { config } = cluster.view) {
    const { quorum } = cluster.view;
    // From here on nothing is chosen at an earlier epoch any more.
    if (!canAccept(quorum, await install(cluster, 0n))) throw tooFew();
    // What was forgotten by all before must not come back by those who never knew of it.
    if (!(await carryFloors(cluster))) throw tooFew();
    await migrate(cluster);
    await checkMoved(cluster);
    const leaving = config.leaving.filter((slot) => config.next?.includes(slot));
    const last = { ...config, voters: config.next, next: null, leaving };
    const outcome = await changeConfig(cluster, { ...last, epoch: config.epoch + 1 });
    if (outcome === "failed") throw tooFew();
  }
}

/** Until the servers of after decide alone a file may have come that lies only on one that goes. Throws DfsError("failed"). */
async function checkMoved(cluster: Cluster): Promise<void> {
  for (const slot of goersIn(cluster)) {
    const { files, first } = await needOf(cluster, slot);
    if (files > 0)
      throw new DfsError(
        "failed",
        `${counted(files, "file")} (as ${filesText(first.slice(0, 1), 1)}) ${files === 1 ? "lies" : "lie"} on ${cluster.labelOf(slot)} alone: dfs-tool repair moves them, and goes on with the change`,
      );
  }
}

/**
 * Every name's current value is accepted anew, by a quorum of those before and of those after: so each later quorum meets a ballot
 * above all that was begun before. An attempt that only one server has accepted was promised by R of those before; so W of them must
 * list their names, those too that were only promised, and W accept what is carried over, above each promise.
 */
async function migrate(cluster: Cluster): Promise<void> {
  for (const space of await allSpacesIn(cluster)) await migrateSpace(space);
}

async function migrateSpace(cluster: Cluster): Promise<void> {
  for await (const { names, vouching, quorum } of pagesIn(cluster, "", false)) {
    if (!canAccept([quorum[0]], vouching)) throw tooFew();
    await inParallel(names, NAMES_IN_REPAIR, async ([name, said]) => {
      const values = [...said.values()].flatMap(({ acc, com }) => [acc?.ballot, com?.ballot]);
      const above = highest(values.map((ballot) => ballot ?? 0n));
      if ((await settle(cluster, name, above)) === "failed") throw tooFew();
    });
  }
}

/** What a change says that cannot go on for now. */
export const tooFew = (): DfsError =>
  new DfsError(
    "tooFew",
    "too few servers answer to change who they are; what was begun goes on with dfs-tool repair",
  );
