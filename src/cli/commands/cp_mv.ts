/**
 * dfs-tool cp and mv: copy a file of the store to another name, or move it there. The bytes stay on
 * the servers. Also used by the shell.
 */
import { defineCommand } from "citty";
import { copy, type Linked, move } from "../../client/files/link.ts";
import type { Cluster } from "../../client/connect/cluster.ts";
import { DfsError, isDfsError } from "../../errors.ts";
import {
  type Name,
  type NewName,
  baseName,
  checkFolder,
  checkName,
  checkNewName,
} from "../../file/names.ts";
import { plainFlags } from "../../terminal/flags.ts";
import { type Setup, setUp, withCluster } from "../config/open.ts";
import { failed, notPut, outcomeOf, reportOutcomes, type Summary } from "../local/outcomes.ts";

type Work = (cluster: Cluster, from: Name, to: NewName) => Promise<Linked>;

export const cpCommand = commandOf("Copy a file of the store to another name", copy);
export const mvCommand = commandOf("Move a file of the store to another name", move);

function commandOf(description: string, work: Work) {
  return defineCommand({
    meta: { description },
    args: {
      from: { type: "positional", required: true, description: "The name of a stored file" },
      to: {
        type: "positional",
        required: true,
        description: "The name that it gets; with a / at its end, the folder that it goes to",
      },
      ...plainFlags,
    },
    async run({ args }) {
      const from = checkName(args.from);
      const to = targetOf(from, args.to);
      const setup = await setUp(args);
      return reportOutcomes(await linked(setup, work, from, to), () => null, setup.log, args);
    },
  });
}

async function linked(setup: Setup, work: Work, from: Name, to: NewName): Promise<Summary> {
  const started = performance.now();
  const seconds = (): number => (performance.now() - started) / 1000;
  try {
    return await withCluster(setup, async (cluster) => {
      const outcome = await outcomeOf(to, setup.log, async () => {
        const { vid, bytes, rotation } = await work(cluster, from, to);
        return { bytes, version: vid, x: rotation };
      });
      return { outcomes: [outcome], traffic: cluster.traffic, seconds: seconds() };
    });
  } catch (error) {
    if (!isDfsError(error, "tooFew")) throw error;
    const outcomes = [failed(to, notPut(error))];
    return { outcomes, traffic: { sent: 0, received: 0 }, seconds: seconds() };
  }
}

/** The new name of a file. In a folder it keeps the last part of its name. */
function targetOf(from: Name, to: string): NewName {
  if (!to.endsWith("/")) return checkNewName(to);
  const last = baseName(from);
  if (last !== "") return checkNewName(checkFolder(to) + last);
  throw new DfsError(
    "usage",
    `${from} is a folder; name the files in it, or if it is a file say the whole name that it gets`,
  );
}
