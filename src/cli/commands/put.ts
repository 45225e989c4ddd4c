/** dfs-tool put: stores files. Also used by the shell. */
import { basename } from "node:path";
import { defineCommand } from "citty";
import type { Condition } from "../../client/agree/decide.ts";
import type { Cluster } from "../../client/connect/cluster.ts";
import { put, type PutOptions, type Stored } from "../../client/files/put.ts";
import { putStream } from "../../client/files/put_stream.ts";
import { asDfsError, DfsError, isDfsError } from "../../errors.ts";
import { type Layout, layoutOf } from "../../file/layout.ts";
import { checkFolder, checkNewName, type NewName } from "../../file/names.ts";
import { FILES_IN_FLIGHT } from "../../limits.ts";
import { commonFlags } from "../../terminal/flags.ts";
import { isFolder } from "../local/local_target.ts";
import { type Setup, setUp, withCluster } from "../config/open.ts";
import {
  failed,
  notPut,
  type Outcome,
  outcomeOf,
  type Summary,
  reportOutcomes,
} from "../local/outcomes.ts";
import { openProgress, type Progress } from "../../terminal/progress.ts";
import { eachOf, refuseDuplicates } from "../local/several.ts";
import { type LocalFile, localFile, withSource } from "../local/source.ts";
import { commandStream, type LocalStream, pipeStream, stdinStream } from "../local/stream.ts";

const STDIN = "-";
/**
 * Bytes of a command line that are not UTF-8 arrive as this character: different names would become
 * one.
 */
const NO_UTF8 = "\uFFFD";

export const putCommand = defineCommand({
  meta: { description: "Store files" },
  args: {
    "file...": {
      type: "positional",
      required: false,
      description: 'Files to store, each under its own name; "-" is stdin',
    },
    "from-command": {
      type: "string",
      valueHint: "CMD",
      description: "Store what this line of the shell prints, if it ends with 0",
    },
    to: {
      type: "string",
      valueHint: "DIR/",
      description: "The folder in the store to put them in",
    },
    name: {
      type: "string",
      valueHint: "NAME",
      description: "The name to store a single file under",
    },
    layout: {
      type: "string",
      valueHint: "LAYOUT",
      description:
        "pairs, or rs:K+M for K data and M parity pieces (instead of what dfc.conf says)",
    },
    "if-absent": { type: "boolean", description: "Only if there is no file of that name yet" },
    "if-version": {
      type: "string",
      valueHint: "VERSION",
      description: "Only if that is the current version, as stat tells it",
    },
    ...commonFlags,
  },
  async run({ args }) {
    const command = args["from-command"];
    const wanted = wantedOf(command === undefined ? args._ : insteadOf(args._), args);
    const condition = conditionOf(args["if-absent"], args["if-version"]);
    const named = args.layout === undefined ? null : layoutOf(args.layout);
    const setup = await setUp(args);
    const layout = named ?? setup.configuration.layout;
    const sourceFor = async (path: string): Promise<LocalFile | LocalStream> => {
      if (path === STDIN) return command === undefined ? stdinStream() : commandStream(command);
      try {
        return await localFile(path);
      } catch (error) {
        const pipe = pipeStream(path);
        if (pipe) return pipe;
        throw error;
      }
    };
    const jobFor = async ({ path, name }: Wanted): Promise<Job> => {
      if (name instanceof DfsError) return { label: path, what: name };
      try {
        return { label: name, what: { name, source: await sourceFor(path) } };
      } catch (error) {
        return { label: name, what: asDfsError(error) };
      }
    };
    const progress = openProgress(labelOf(wanted), args);
    try {
      const jobs = await eachOf(wanted, FILES_IN_FLIGHT, jobFor);
      const summary = await putAll(setup, jobs, progress, layout, condition);
      progress.stop();
      return await reportOutcomes(summary, (name) => `${name} put failed`, setup.log, args);
    } finally {
      progress.stop();
    }
  },
});

/** A local path, and the name to store it under; or the reason why it has none. */
interface Wanted {
  readonly path: string;
  readonly name: NewName | DfsError;
}

/**
 * A name and its file or stream, or the reason why one of them is missing. `label` is for messages.
 */
interface Job {
  readonly label: string;
  readonly what: { readonly name: NewName; readonly source: LocalFile | LocalStream } | DfsError;
}

const isStream = (source: LocalFile | LocalStream): source is LocalStream => "emptyText" in source;

/** With --from-command there are no files: its output is treated like stdin. */
function insteadOf(paths: readonly string[]): string[] {
  if (paths.every((path) => path === STDIN)) return [STDIN];
  throw new DfsError("usage", "--from-command takes the place of FILE...; leave out one");
}

/** What to put under which name. Throws DfsError("usage") before anything is sent. */
function wantedOf(
  paths: readonly string[],
  { to, name }: { to?: string | undefined; name?: string | undefined },
): Wanted[] {
  if (paths.length === 0) throw new DfsError("usage", "FILE... is missing");
  if (paths.length > 1 && paths.includes(STDIN)) {
    throw new DfsError("usage", '"-" (stdin) must be put alone');
  }
  if (paths.length > 1 && name !== undefined) {
    throw new DfsError("usage", "--name is for a single file; use --to DIR/ for several");
  }
  if (paths[0] === STDIN && name === undefined) {
    throw new DfsError(
      "usage",
      "what comes from stdin needs a name, and what a command prints: --name NAME",
    );
  }
  if (to === "") throw new DfsError("usage", "--to needs a folder; it is empty");
  for (const [flag, value] of Object.entries({ to, name })) {
    if (value?.includes(NO_UTF8)) throw new DfsError("usage", `--${flag} ${value} is not UTF-8`);
  }
  const folder = to === undefined ? "" : checkFolder(to);
  const wanted = paths.map((path): Wanted => {
    try {
      return { path, name: nameOf(path, folder, name) };
    } catch (error) {
      // One bad name does not stop the others.
      if (!isDfsError(error) || (paths.length === 1 && error.code === "usage")) throw error;
      return { path, name: error };
    }
  });
  refuseDuplicates(
    wanted.filter(({ name: known }) => !(known instanceof DfsError)),
    (item) => String(item.name),
    (item, other) =>
      item.path === other.path
        ? `${item.path} is named twice`
        : `${item.path} and ${other.path} would both be stored as ${String(item.name)}; put one of them elsewhere, with --to DIR/`,
  );
  return wanted;
}

/**
 * The name that a path is stored under. Throws DfsError("usage"), or DfsError("failed") for a
 * folder whose name could be no name.
 */
function nameOf(path: string, folder: string, name: string | undefined): NewName {
  if (path.includes(NO_UTF8)) {
    const why = "is not UTF-8, and cannot be opened by its name";
    throw new DfsError("usage", `${path} ${why}; use: dfs-tool put - --name NAME < FILE`);
  }
  try {
    return checkNewName(folder + (name ?? basename(path)));
  } catch (error) {
    if (name !== undefined || !isFolder(path)) throw error;
    throw new DfsError("failed", `${path} is a folder; name the files in it`);
  }
}

/**
 * Throws DfsError("usage") on conditions that contradict each other, or that no version can meet.
 */
function conditionOf(ifAbsent: boolean | undefined, version: string | undefined): Condition | null {
  if (ifAbsent && version !== undefined)
    throw new DfsError("usage", "--if-absent and --if-version exclude each other; leave out one");
  if (ifAbsent) return { vid: null };
  if (version === undefined) return null;
  if (/^[0-9a-f]{32}$/.test(version)) return { vid: version };
  throw new DfsError(
    "usage",
    `${version} is no version: it has 32 hexadecimal digits, as stat tells`,
  );
}

const labelOf = (wanted: readonly Wanted[]): string =>
  wanted.length === 1 ? `put ${String(wanted[0]?.name)}` : `put ${wanted.length} files`;

async function putAll(
  setup: Setup,
  jobs: readonly Job[],
  progress: Progress,
  layout: Layout,
  condition: Condition | null,
): Promise<Summary> {
  const started = performance.now();
  const summary = (outcomes: Outcome[], traffic = { sent: 0, received: 0 }): Summary => {
    return { outcomes, traffic, seconds: (performance.now() - started) / 1000 };
  };
  const faults = jobs.flatMap(({ label, what }) =>
    what instanceof DfsError ? [failed(label, what)] : [],
  );
  if (faults.length === jobs.length) return summary(faults);
  for (const { what } of jobs)
    if (!(what instanceof DfsError))
      progress.expect(isStream(what.source) ? Infinity : what.source.bytes);
  const options = {
    layout,
    placement: setup.configuration.placement,
    progress: (bytes: number) => progress.add(bytes),
    ...(condition && { condition }),
  };
  const store = (what: Job["what"], cluster: Cluster): Promise<Stored> => {
    if (what instanceof DfsError) throw what;
    const { name, source } = what;
    return isStream(source)
      ? storeStream(setup, cluster, name, source, options)
      : storeFile(setup, cluster, name, source, options);
  };
  try {
    return await withCluster(setup, async (cluster) => {
      const outcomes = await eachOf(jobs, FILES_IN_FLIGHT, ({ label, what }) =>
        outcomeOf(label, setup.log, async () => {
          const { vid, rotation, bytes } = await store(what, cluster);
          return { bytes, version: vid, x: rotation };
        }),
      );
      return summary(outcomes, cluster.traffic);
    });
  } catch (error) {
    // Too few servers to begin with: each of the files fails.
    if (!isDfsError(error, "tooFew")) throw error;
    const why = notPut(error);
    return summary(
      jobs.map(({ label, what }) => failed(label, what instanceof DfsError ? what : why)),
    );
  }
}

const storeFile = (
  { log }: Setup,
  cluster: Cluster,
  name: NewName,
  file: LocalFile,
  options: PutOptions,
): Promise<Stored> =>
  withSource(file, async (source) => {
    const stored = await put(cluster, name, source, options);
    if (source.hasGrown()) log.info(`${file.label} grew: it is stored as it was at first`);
    return stored;
  });

async function storeStream(
  { log }: Setup,
  cluster: Cluster,
  name: NewName,
  stream: LocalStream,
  options: PutOptions,
): Promise<Stored> {
  const stored = await putStream(cluster, name, stream, options);
  if (stored.bytes === 0) log.warn(`${stream.emptyText}: ${name} is stored, with no bytes`);
  return stored;
}
