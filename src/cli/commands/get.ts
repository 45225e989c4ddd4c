/** dfs-tool get: fetches files. Also used by the shell. */
import { defineCommand } from "citty";
import { get } from "../../client/files/get.ts";
import { DfsError, isDfsError } from "../../errors.ts";
import { bunDisk } from "../../io/bun_disk.ts";
import { baseName, checkName, type Name } from "../../file/names.ts";
import { FILES_IN_FLIGHT } from "../../limits.ts";
import { warnOfOpen } from "./adopt.ts";
import { commonFlags } from "../../terminal/flags.ts";
import { folderOf, openDescriptor } from "../local/local_target.ts";
import { pathBelow } from "../local/path_below.ts";
import { type Setup, setUp, withCluster } from "../config/open.ts";
import type { Log } from "../../terminal/log.ts";
import { failed, outcomeOf, type Summary, reportOutcomes } from "../local/outcomes.ts";
import { openProgress, type Progress } from "../../terminal/progress.ts";
import { eachOf, refuseDuplicates } from "../local/several.ts";
import {
  descriptorTarget,
  keepOrDiscard,
  type Target,
  targetAt,
  type TargetOptions,
} from "../local/sink.ts";

const STDOUT = 1;

export const getCommand = defineCommand({
  meta: { description: "Bring files back, into the current folder" },
  args: {
    "name...": { type: "positional", required: true, description: "Names of stored files" },
    output: {
      type: "string",
      alias: "o",
      valueHint: "FILE",
      description:
        'The file to write a single name to, or a folder, with "/" at its end; "-" is stdout',
    },
    to: { type: "string", valueHint: "DIR", description: "The folder to write to" },
    clobber: {
      type: "boolean",
      default: true,
      description: "Replace files that are there",
      negativeDescription: "Leave files that are there as they are, and fail for them",
    },
    times: {
      type: "boolean",
      default: true,
      description: "Give files the time they had when they were put",
      negativeDescription: "Leave files the time at which they are written",
    },
    sync: {
      type: "boolean",
      description: "End only when the files would survive a power cut of this machine",
    },
    ...commonFlags,
  },
  async run({ args }) {
    const wanted = wantedOf(args._, args.output, args.to);
    const isForStdout = aimsOf(wanted)[0]?.path === STDOUT;
    if (args.json && isForStdout) {
      throw new DfsError("usage", "--json and -o - would both write to stdout; leave out one");
    }
    const setup = await setUp(args);
    const progress = openProgress(
      wanted.length === 1 ? `get ${wanted[0]?.label}` : `get ${wanted.length} files`,
      args,
    );
    try {
      const summary = await getAll(setup, wanted, progress, args);
      progress.stop();
      const lineOf = isForStdout ? incompleteLineOnStderr(setup.log) : incompleteLine;
      return await reportOutcomes(summary, lineOf, setup.log, args);
    } finally {
      progress.stop();
    }
  },
});

/** A name, and the local path or the open descriptor to write to. */
interface Aim {
  readonly name: Name;
  readonly path: string | number;
}

/** An aim, or the reason why there is none. `label` is for messages. */
interface Wanted {
  readonly label: string;
  readonly what: Aim | DfsError;
}

const aimsOf = (wanted: readonly Wanted[]): Aim[] =>
  wanted.flatMap(({ what }) => (what instanceof DfsError ? [] : [what]));

/** Which file goes where. Throws DfsError("usage"). */
function wantedOf(
  names: readonly string[],
  output: string | undefined,
  to: string | undefined,
): Wanted[] {
  const into = folderOf(output, to);
  if (names.length > 1 && !into) {
    throw new DfsError(
      "usage",
      "-o is for a single name; several go to the current folder, or with -o DIR/ to another",
    );
  }
  const wanted = names.map((label): Wanted => {
    try {
      const name = checkName(label);
      const path = into ? pathIn(into.folder, name) : outputOf(output ?? "");
      return { label, what: { name, path } };
    } catch (error) {
      // One bad name does not stop the others.
      if (names.length === 1 || !isDfsError(error)) throw error;
      return { label, what: error };
    }
  });
  refuseDuplicates(
    aimsOf(wanted),
    ({ path }) => String(path),
    (item, other, path) =>
      item.name === other.name
        ? `${item.name} is named twice`
        : `${item.name} and ${other.name} would both become the file ${path}; get one of them with -o FILE`,
  );
  return wanted;
}

/** The path of a file in a local folder: only the last component of its name counts. */
function pathIn(folder: string, name: Name): string {
  if (name.endsWith("/"))
    throw new DfsError(
      "usage",
      `${name} is a folder; name the files in it, as list ${name} does, or if it is a file say where it goes with -o FILE`,
    );
  return pathBelow(folder, baseName(name));
}

/** The target that -o names, if that is no folder. */
const outputOf = (output: string): string | number =>
  output === "-" ? STDOUT : (openDescriptor(output) ?? output);

/**
 * The line for a file that cannot be rebuilt from the servers that answer. Other failures only have
 * their reason.
 */
const incompleteLine = (name: string, error: DfsError): string | null =>
  isDfsError(error, "incomplete", "integrity", "tooFew") ? `${name} is incomplete` : null;

/** Prints the same line on stderr: stdout is only for the file's bytes. */
const incompleteLineOnStderr =
  (log: Log) =>
  (name: string, error: DfsError): null => {
    const line = incompleteLine(name, error);
    if (line !== null) log.error(line);
    return null;
  };

async function getAll(
  setup: Setup,
  wanted: readonly Wanted[],
  progress: Progress,
  targetOptions: TargetOptions,
): Promise<Summary> {
  const started = performance.now();
  try {
    return await bringAll(setup, wanted, progress, targetOptions);
  } catch (error) {
    // Too few servers to begin with: each of the files fails.
    if (!isDfsError(error, "tooFew")) throw error;
    const outcomes = wanted.map(({ label, what }) =>
      failed(label, what instanceof DfsError ? what : error),
    );
    const seconds = (performance.now() - started) / 1000;
    return { outcomes, traffic: { sent: 0, received: 0 }, seconds };
  }
}

function bringAll(
  setup: Setup,
  wanted: readonly Wanted[],
  progress: Progress,
  targetOptions: TargetOptions,
): Promise<Summary> {
  const started = performance.now();
  /** The folders of files that must survive a power cut. */
  const folders = new Set<string>();
  const options = { progress: (bytes: number) => progress.add(bytes) };
  return withCluster(setup, async (cluster) => {
    const outcomes = await eachOf(wanted, FILES_IN_FLIGHT, ({ label, what }) =>
      outcomeOf(label, setup.log, async () => {
        if (what instanceof DfsError) throw what;
        const { name, path } = what;
        const target = await (typeof path === "number"
          ? descriptorTarget(path)
          : targetAt(path, targetOptions));
        const found = await keepOrDiscard(target, () =>
          get(cluster, name, announcing(target, progress), options),
        );
        if (targetOptions.sync && target.folder !== null) folders.add(target.folder);
        return { bytes: found.bytes, version: found.vid, x: found.rotation };
      }),
    );
    for (const folder of folders) await bunDisk.syncFolder(folder);
    if (outcomes.some(({ error }) => isDfsError(error, "noSuchName")))
      await warnOfOpen(cluster, setup.log);
    return { outcomes, traffic: cluster.traffic, seconds: (performance.now() - started) / 1000 };
  });
}

/** The same target; it also tells `progress` how many bytes will come. */
const announcing = (target: Target, progress: Progress): Target => ({
  ...target,
  open(found) {
    progress.expect(found.bytes);
    return target.open(found);
  },
});
