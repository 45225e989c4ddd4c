/**
 * dfs-tool adopt: takes over files in the open, from before there were users. `warnOfOpen` is used
 * by list.ts and get.ts.
 */
import { defineCommand } from "citty";
import { adopt, hasOpenFiles, openNamesFor } from "../../client/care/adopt.ts";
import type { Cluster } from "../../client/connect/cluster.ts";
import { counted } from "../../counted.ts";
import { FILES_IN_FLIGHT } from "../../limits.ts";
import { type CommonFlags, commonFlags } from "../../terminal/flags.ts";
import type { Log } from "../../terminal/log.ts";
import { type Setup, setUp, withCluster } from "../config/open.ts";
import { type Outcome, outcomeOf, type Summary, reportOutcomes } from "../local/outcomes.ts";
import { openProgress } from "../../terminal/progress.ts";
import { eachOf } from "../local/several.ts";
import { print } from "../../terminal/stdout.ts";

export const adoptCommand = defineCommand({
  meta: {
    description: "Take over files of before there were users: they are sealed, and become yours",
  },
  args: {
    prefix: {
      type: "positional",
      required: false,
      description: "Only names that begin so, as in photos/",
    },
    ...commonFlags,
  },
  async run({ args }) {
    const setup = await setUp(args);
    const { isOperator, ...summary } = await withCluster(setup, async (cluster) => ({
      ...(await adoptAll(cluster, setup, args.prefix ?? "", args)),
      isOperator: cluster.connections.isOperator,
    }));
    if (!args.json) await print(lineOf(summary.outcomes, isOperator));
    return reportOutcomes(summary, (name) => `${name} was not adopted`, setup.log, args);
  },
});

/** Warns an operator, who may miss files, if there are files in the open. */
export async function warnOfOpen(cluster: Cluster, log: Log): Promise<void> {
  if (await hasOpenFiles(cluster))
    log.warn(
      "there are files of before there were users, which lie in nobody's list: dfs-tool adopt makes them yours, sealed",
    );
}

async function adoptAll(
  cluster: Cluster,
  { configuration: { placement }, log }: Setup,
  prefix: string,
  flags: CommonFlags,
): Promise<Summary> {
  const started = performance.now();
  const open = await openNamesFor(cluster, prefix);
  const progress = openProgress(`adopt ${counted(open.length, "file")}`, flags);
  for (const { bytes } of open) progress.expect(bytes);
  try {
    const outcomes = await eachOf(open, FILES_IN_FLIGHT, (file) =>
      outcomeOf(file.name, log, async () => {
        const done = await adopt(cluster, file, { placement, progress: (n) => progress.add(n) });
        return done && { bytes: done.bytes, version: done.vid, x: done.rotation };
      }),
    );
    return { outcomes, traffic: cluster.traffic, seconds: (performance.now() - started) / 1000 };
  } finally {
    progress.stop();
  }
}

function lineOf(outcomes: readonly Outcome[], isOperator: boolean): string {
  const adopted = outcomes.filter(({ error }) => error === null).length;
  if (outcomes.length > 0) return `${counted(adopted, "file")} adopted: sealed, and yours`;
  return isOperator
    ? "nothing to adopt: no files lie in the open"
    : "nothing to adopt: no files of yours lie in the open; those of before there were users an operator adopts";
}
