/**
 * dfs-tool rm: deletes files and empty folders; with --user, an operator deletes those of another
 * user.
 */
import { defineCommand } from "citty";
import type { Cluster } from "../../client/connect/cluster.ts";
import { counted } from "../../counted.ts";
import { remove } from "../../client/files/remove.ts";
import { removeFolder } from "../../client/files/remove_folder.ts";
import { checkRemovable, namesOf, removeFrom, spaceOf } from "../../client/care/remove_others.ts";
import { DfsError, isDfsError } from "../../errors.ts";
import { checkName, type Name, type StoredName } from "../../file/names.ts";
import { FILES_IN_FLIGHT } from "../../limits.ts";
import { confirm } from "../../terminal/confirm.ts";
import { plainFlags } from "../../terminal/flags.ts";
import { type Setup, setUp, withCluster } from "../config/open.ts";
import { type Outcome, outcomeOf, reportOutcomes } from "../local/outcomes.ts";
import { eachOf, refuseDuplicates } from "../local/several.ts";

export const rmCommand = defineCommand({
  meta: { description: "Delete files and empty folders from the store" },
  args: {
    "name...": {
      type: "positional",
      required: false,
      description: "Names of stored files, or of empty folders",
    },
    user: {
      type: "string",
      valueHint: "USER",
      description: "Of this user, for operators: names are those that verify prints",
    },
    all: { type: "boolean", description: "With --user: all files of that user" },
    yes: { type: "boolean", description: "With --user: do not ask first" },
    ...plainFlags,
  },
  async run({ args }) {
    const { user, all = false, yes = false } = args;
    const { _: names } = args;
    const removeThese = removerOf(names, user, all, yes);
    checkFlags(names, user, all, yes);
    refuseDuplicates(
      names,
      (name) => name,
      (name) => `${name} is named twice`,
    );
    const started = performance.now();
    const setup = await setUp(args);
    const work = async (cluster: Cluster) => {
      const outcomes = await removeThese(cluster, setup);
      return { outcomes, traffic: cluster.traffic, seconds: (performance.now() - started) / 1000 };
    };
    // The keys of another user are not known here.
    const keys = user === undefined ? "needed" : "none";
    return reportOutcomes(
      await withCluster(setup, work, { keys }),
      notDeletedLine,
      setup.log,
      args,
    );
  },
});

/** What removes these names. Throws DfsError("usage") for one that cannot be a name. */
function removerOf(
  args: readonly string[],
  user: string | undefined,
  all: boolean,
  isSure: boolean,
): (cluster: Cluster, setup: Setup) => Promise<Outcome[]> {
  if (user === undefined) {
    const names = args.map((name) => checkName(name));
    return (cluster, setup) => removeOwn(cluster, setup, names);
  }
  const names = args.map(checkRemovable);
  return (cluster, setup) => removeOf(cluster, setup, user, all ? null : names, isSure);
}

/** Throws DfsError("usage") if flags and names do not fit together. */
function checkFlags(
  names: readonly string[],
  user: string | undefined,
  all: boolean,
  yes: boolean,
): void {
  if (user === undefined && (all || yes))
    throw new DfsError("usage", `${all ? "--all" : "--yes"} goes with --user`);
  if (all && names.length > 0)
    throw new DfsError("usage", "--all is of all files of the user: name none beside it");
  if (names.length === 0 && !all) throw new DfsError("usage", "NAME... is missing");
}

const removeEach = <N extends string>(
  { log }: Setup,
  names: readonly N[],
  work: (name: N) => Promise<void>,
): Promise<Outcome[]> =>
  eachOf(names, FILES_IN_FLIGHT, (name) =>
    outcomeOf(name, log, async () => {
      await work(name);
      return null;
    }),
  );

/**
 * Deletes the user's own files and folders. Folders come last, the innermost first, so that one may
 * be named together with everything in it. A name without a file may be that of a folder.
 */
async function removeOwn(
  cluster: Cluster,
  setup: Setup,
  names: readonly Name[],
): Promise<Outcome[]> {
  const files = names.filter((name) => !name.endsWith("/"));
  const outcomes = new Map<string, Outcome>();
  for (const outcome of await removeEach(setup, files, (name) => remove(cluster, name)))
    if (!outcome.error || !isDfsError(outcome.error, "noSuchName"))
      outcomes.set(outcome.name, outcome);
  const folders = names.filter((name) => !outcomes.has(name));
  for (const name of folders.toSorted((a, b) => b.length - a.length))
    for (const outcome of await removeEach(setup, [name], () => removeFolder(cluster, name)))
      outcomes.set(name, outcome);
  return names.flatMap((name) => outcomes.get(name) ?? []);
}

/** Deletes these names of another user; with null, all of them. */
async function removeOf(
  cluster: Cluster,
  setup: Setup,
  user: string,
  wanted: readonly StoredName[] | null,
  isSure: boolean,
): Promise<Outcome[]> {
  const space = spaceOf(cluster, user);
  const names = wanted ?? (await namesOf(space));
  if (names.length === 0) throw new DfsError("noSuchName", `${user} has no files`);
  const files = names.length === 1 ? (names[0] ?? "") : counted(names.length, "file");
  if (!isSure) await confirm(`Delete ${files} of ${user} for good?`);
  return removeEach(setup, names, (name) => removeFrom(space, name));
}

const notDeletedLine = (name: string, error: DfsError): string | null =>
  isDfsError(error, "noSuchName") ? null : `${name} was not deleted`;
