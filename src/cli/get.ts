/** dfs-tool get: brings files back. */
import { defineCommand } from "citty";
import { get } from "../client/get.ts";
import { DfsError, isDfsError } from "../errors.ts";
import { baseName, checkName } from "../file/names.ts";
import { FILES_IN_FLIGHT } from "../limits.ts";
import { warnOfOpen } from "./adopt.ts";
import { commonFlags } from "./flags.ts";
import { type Setup, setUp, withCluster } from "./open.ts";
import type { Log } from "./log.ts";
import { failed, outcomeOf, type Summary, tell } from "./outcomes.ts";
import { openProgress, type Progress } from "./progress.ts";
import { eachOf, refuseTwins } from "./several.ts";
import { checkLocalName, keeping, stdoutTarget, type Target, targetAt } from "./sink.ts";

const STDOUT = "-";

export const getCommand = defineCommand({
  meta: { description: "Bring files back, into the current folder" },
  args: {
    "name...": { type: "positional", required: true, description: "Names of stored files" },
    output: {
      type: "string",
      alias: "o",
      valueHint: "FILE",
      description: 'The file to write a single name to; "-" is stdout',
    },
    ...commonFlags,
  },
  async run({ args }) {
    const wanted = wantedOf(args._, args.output);
    if (args.json && args.output === STDOUT) {
      throw new DfsError("usage", "--json and -o - would both write to stdout; leave out one");
    }
    const setup = await setUp(args);
    const progress = openProgress(
      wanted.length === 1 ? `get ${wanted[0]?.name}` : `get ${wanted.length} files`,
      args,
    );
    try {
      const summary = await getAll(setup, wanted, progress);
      progress.stop();
      const lineOf = args.output === STDOUT ? saidAside(setup.log) : incompleteLine;
      return await tell(summary, lineOf, setup.log, args);
    } finally {
      progress.stop();
    }
  },
});

interface Wanted {
  readonly name: string;
  /** The path of this machine that it goes to, or "-". */
  readonly path: string;
}

/** What goes where; throws DfsError("usage"). */
function wantedOf(names: readonly string[], output: string | undefined): Wanted[] {
  if (names.length > 1 && output !== undefined) {
    throw new DfsError("usage", "-o is for a single name; several go to the current folder");
  }
  const wanted = names.map((name) => {
    checkName(name);
    return { name, path: output ?? checkLocalName(baseName(name)) };
  });
  refuseTwins(
    wanted,
    ({ path }) => path,
    (one, other, path) =>
      `${one.name} and ${other.name} would both become the file ${path}; get one of them with -o FILE`,
  );
  return wanted;
}

/** The line for a file that cannot be had from the servers that answer; other failures have their reason only. */
const incompleteLine = (name: string, error: DfsError): string | null =>
  isDfsError(error, "incomplete", "integrity", "tooFew") ? `${name} is incomplete` : null;

/** The same on stderr: a file that goes to stdout has it to itself. */
const saidAside =
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
): Promise<Summary> {
  const started = performance.now();
  try {
    return await bringAll(setup, wanted, progress);
  } catch (error) {
    // Too few servers to begin with: that fails each of the files.
    if (!isDfsError(error, "tooFew")) throw error;
    const outcomes = wanted.map(({ name }) => failed(name, error));
    const seconds = (performance.now() - started) / 1000;
    return { outcomes, traffic: { sent: 0, received: 0 }, seconds };
  }
}

function bringAll(setup: Setup, wanted: readonly Wanted[], progress: Progress): Promise<Summary> {
  const started = performance.now();
  const options = { progress: (bytes: number) => progress.add(bytes) };
  return withCluster(setup, async (cluster) => {
    const outcomes = await eachOf(wanted, FILES_IN_FLIGHT, ({ name, path }) =>
      outcomeOf(name, setup.log, async () => {
        const target = path === STDOUT ? stdoutTarget() : await targetAt(path);
        const found = await keeping(target, () =>
          get(cluster, name, telling(target, progress), options),
        );
        return { bytes: found.bytes, version: found.vid, x: found.x };
      }),
    );
    if (outcomes.some(({ error }) => isDfsError(error, "noSuchName")))
      await warnOfOpen(cluster, setup.log);
    return { outcomes, traffic: cluster.traffic, seconds: (performance.now() - started) / 1000 };
  });
}

/** The same target, which tells `progress` what is to come. */
const telling = (target: Target, progress: Progress): Target => ({
  ...target,
  open(found) {
    progress.expect(found.bytes);
    return target.open(found);
  },
});
