/** dfs-tool put: stores files. */
import { basename } from "node:path";
import { defineCommand } from "citty";
import type { Condition } from "../client/decide.ts";
import { put } from "../client/put.ts";
import { asDfsError, DfsError, isDfsError } from "../errors.ts";
import { type Layout, layoutOf } from "../file/layout.ts";
import { checkFolder, checkNewName } from "../file/names.ts";
import { FILES_IN_FLIGHT } from "../limits.ts";
import { commonFlags } from "./flags.ts";
import { type Setup, setUp, withCluster } from "./open.ts";
import { failed, notPut, type Outcome, outcomeOf, type Summary, tell } from "./outcomes.ts";
import { openProgress, type Progress } from "./progress.ts";
import { eachOf, refuseTwins } from "./several.ts";
import { type LocalFile, localFile, spoolStdin, withSource } from "./source.ts";

const STDIN = "-";

export const putCommand = defineCommand({
  meta: { description: "Store files" },
  args: {
    "file...": {
      type: "positional",
      required: true,
      description: 'Files to store, each under its own name; "-" is stdin',
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
    const wanted = wantedOf(args._, args);
    const condition = conditionOf(args["if-absent"], args["if-version"]);
    const named = args.layout === undefined ? null : layoutOf(args.layout);
    const setup = await setUp(args);
    const layout = named ?? setup.configuration.layout;
    const spooled = args._.includes(STDIN) ? await spoolStdin() : null;
    const look = async ({ path }: Wanted) => spooled?.file ?? localFile(path).catch(asDfsError);
    const progress = openProgress(labelOf(wanted), args);
    try {
      const jobs = await eachOf(wanted, FILES_IN_FLIGHT, async (one) => ({
        ...one,
        file: await look(one),
      }));
      const summary = await putAll(setup, jobs, progress, layout, condition);
      progress.stop();
      return await tell(summary, (name) => `${name} put failed`, setup.log, args);
    } finally {
      progress.stop();
      spooled?.remove();
    }
  },
});

/** A path of this machine, and the name that it gets. */
interface Wanted {
  readonly path: string;
  readonly name: string;
}

/** A name, and its file or why there is none. */
interface Job {
  readonly name: string;
  readonly file: LocalFile | DfsError;
}

/** What is to be put under which name; throws DfsError("usage") before anything is sent. */
function wantedOf(
  paths: readonly string[],
  { to, name }: { to?: string | undefined; name?: string | undefined },
): Wanted[] {
  if (paths.length > 1 && paths.includes(STDIN)) {
    throw new DfsError("usage", '"-" (stdin) must be put alone');
  }
  if (paths.length > 1 && name !== undefined) {
    throw new DfsError("usage", "--name is for a single file; use --to DIR/ for several");
  }
  if (paths[0] === STDIN && name === undefined) {
    throw new DfsError("usage", "what comes from stdin needs a name: put - --name NAME");
  }
  const folder = to === undefined ? "" : checkFolder(to);
  const wanted = paths.map((path) => ({
    path,
    name: checkNewName(asText(folder + (name ?? basename(path)))),
  }));
  refuseTwins(
    wanted,
    (one) => one.name,
    (one, other) =>
      `${one.path} and ${other.path} would both be stored as ${one.name}; put one of them elsewhere, with --to DIR/`,
  );
  return wanted;
}

/** Bytes of a command line that are no UTF-8 arrive as U+FFFD: different names would become one. */
function asText(name: string): string {
  if (!name.includes("\uFFFD")) return name;
  throw new DfsError("usage", `${JSON.stringify(name)} is not UTF-8; name it with --name`);
}

/** Throws DfsError("usage") on conditions that contradict each other, or that no version can meet. */
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
  wanted.length === 1 ? `put ${wanted[0]?.name}` : `put ${wanted.length} files`;

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
  for (const { file } of jobs) if (!(file instanceof DfsError)) progress.expect(file.bytes);
  const { placement } = setup.configuration;
  const options = {
    layout,
    placement,
    progress: (bytes: number) => progress.add(bytes),
    ...(condition && { condition }),
  };
  try {
    return await withCluster(setup, async (cluster) => {
      const outcomes = await eachOf(jobs, FILES_IN_FLIGHT, ({ name, file }) =>
        outcomeOf(name, setup.log, async () => {
          if (file instanceof DfsError) throw file;
          const { vid, x, bytes } = await withSource(file, (source) =>
            put(cluster, name, source, options),
          );
          return { bytes, version: vid, x };
        }),
      );
      return summary(outcomes, cluster.traffic);
    });
  } catch (error) {
    // Too few servers to begin with: that fails each of the files.
    if (!isDfsError(error, "tooFew")) throw error;
    const why = notPut(error);
    return summary(
      jobs.map(({ name, file }) => failed(name, file instanceof DfsError ? file : why)),
    );
  }
}
