/** dfs-tool server: shows who makes the cluster, and changes it. */
import { defineCommand } from "citty";
import type { Cluster } from "../../client/connect/cluster.ts";
import { counted } from "../../counted.ts";
import {
  addServer,
  drainServer,
  removeServer,
  replaceServer,
} from "../../client/members/members.ts";
import { slotNamed } from "../../client/members/server_names.ts";
import { finishChange } from "../../client/members/migrate.ts";
import { moveIfMember, moveServer } from "../../client/members/moved.ts";
import { weighServer } from "../../client/members/reweigh.ts";
import { type ServerAddress, writtenAddress } from "../../membership.ts";
import { needOf } from "../../client/members/safety.ts";
import { absenceWarning } from "../../client/members/seats.ts";
import { DfsError, exitStatus } from "../../errors.ts";
import { WEIGHT_MAX } from "../../limits.ts";
import { membersOf } from "../../api/members.ts";
import { actionIn } from "../invocation/arguments.ts";
import { type CommonFlags, commonFlags } from "../../terminal/flags.ts";
import { serverOf } from "../../api/config/config.ts";
import { insteadIn, missingIn, serverLine, writeServers } from "../config/edit_config.ts";
import { type Setup, setUp, withCluster } from "../config/open.ts";
import { repairAndReport } from "./repair.ts";
import { print, printJson } from "../../terminal/stdout.ts";
import { tableLines } from "../../terminal/units.ts";

const ACTIONS = {
  list: "list",
  add: "add NAME [HOST:PORT]",
  drain: "drain NAME",
  move: "move NAME [HOST:PORT]",
  replace: "replace NAME [HOST:PORT]",
  remove: "remove NAME",
  weight: "weight NAME N",
} as const;
type Action = keyof typeof ACTIONS;
/** The words that may follow the command's name. */
export const SERVER_ACTIONS = Object.keys(ACTIONS);

export const serverCommand = defineCommand({
  meta: {
    description: "Show the servers of the cluster; add, drain, move, replace, remove or weigh one",
  },
  args: {
    action: {
      type: "positional",
      required: true,
      description: Object.values(ACTIONS).join(", "),
    },
    name: {
      type: "positional",
      required: false,
      description: "The server, as dfc.conf calls it, or its id",
    },
    address: {
      type: "positional",
      required: false,
      description: `Where a new one, or one that moved, is; in dfc.conf where nothing is said. With weight: how large it counts, from 1 to ${WEIGHT_MAX}, the largest`,
    },
    write: { type: "boolean", description: "With list: write what dfc.conf lacks into it" },
    ...commonFlags,
  },
  async run({ args }) {
    const action = actionOf(args.action, args.name, args.address);
    if (args.write && action !== "list")
      throw new DfsError("usage", "--write goes with dfs-tool server list only");
    const setup = await setUp(args);
    const task: Task = { setup, flags: args, name: args.name ?? "", address: args.address };
    const command = `dfs-tool server ${action} ${task.name}`;
    return withCluster(setup, (cluster) => RUN[action](cluster, task), { keys: "handy", command });
  },
});

/** What to do, and with which server. */
interface Task {
  readonly setup: Setup;
  readonly flags: CommonFlags & { readonly write?: boolean | undefined };
  readonly name: string;
  readonly address: string | undefined;
}

function actionOf(word: string, name?: string, address?: string): Action {
  const action = actionIn("server", ACTIONS, word);
  const form = ACTIONS[action];
  const isWanted = form.includes("NAME") === (name !== undefined);
  const isMore = address !== undefined && !form.includes("HOST");
  if (!isWanted || isMore !== form.endsWith(" N"))
    throw new DfsError("usage", `it is dfs-tool server ${form}`);
  return action;
}

const RUN: Readonly<Record<Action, (cluster: Cluster, task: Task) => Promise<number>>> = {
  list,

  async add(cluster, task) {
    const server = addressFor(task);
    const moved = await moveIfMember(cluster, server);
    if (moved !== null) return reportMoved(cluster, task, moved, server);
    await addServer(cluster, server);
    await printLine(
      task,
      `${server.name} is a member: the cluster has ${counted(cluster.view.members.length, "server")}`,
    );
    await printLine(task, "new files use it; dfs-tool rebalance moves those that are there");
    await reportMissing(cluster, task);
    return 0;
  },

  async drain(cluster, task) {
    const { setup, flags } = task;
    const slot = slotNamed(cluster, task.name);
    const name = cluster.labelOf(slot);
    await drainServer(cluster, slot);
    await repairAndReport(cluster, setup, flags);
    const { pieces, isTold } = await needOf(cluster, slot);
    const isDone = pieces === 0 && isTold;
    await printLine(
      task,
      isDone
        ? `nothing lies on ${name} any more: it is safe to remove, with dfs-tool server remove ${name}`
        : !isTold
          ? `${name} cannot read all its records, and so not tell what lies on it: dfs-tool server replace ${name} does without it`
          : `${counted(pieces, "piece still lies", "pieces still lie")} on ${name}: it is not safe to remove; try again`,
    );
    return isDone ? 0 : exitStatus("partly");
  },

  async move(cluster, task) {
    const slot = slotNamed(cluster, task.name);
    const name = cluster.labelOf(slot);
    const server = addressFor({ ...task, name });
    await moveServer(cluster, slot, server);
    return reportMoved(cluster, task, slot, server);
  },

  async replace(cluster, task) {
    const { setup, flags } = task;
    const slot = slotNamed(cluster, task.name);
    const name = cluster.labelOf(slot);
    const done = await replaceServer(cluster, slot, addressFor({ ...task, name }));
    await printLine(
      task,
      done === "again"
        ? `that server has the place of ${name} already; what it should hold is brought there`
        : `another server has the place of ${name}; what it should hold is brought there`,
    );
    const status = await repairAndReport(cluster, setup, flags);
    await reportMissing(cluster, task);
    return status;
  },

  async remove(cluster, task) {
    const { setup, flags } = task;
    const slot = await slotAfterChange(cluster, task.name);
    const name = cluster.labelOf(slot);
    const isGone = cluster.peer(slot) === null;
    await removeServer(cluster, slot, (line) => printLine(task, line));
    await printLine(task, `${name} is no member any more: take it out of dfc.conf, and stop it`);
    return isGone ? repairAndReport(cluster, setup, flags) : 0;
  },

  async weight(cluster, task) {
    const weight = weightFrom(task.address ?? "");
    const slot = slotNamed(cluster, task.name);
    const name = cluster.labelOf(slot);
    await weighServer(cluster, slot, weight);
    await printLine(
      task,
      `${name} has the weight ${weight} now: new files with parity on some of the servers go by it; dfs-tool rebalance moves those that are there`,
    );
    return 0;
  },
};

/**
 * The slot of the server with this name, once a change that had begun is finished. If that change
 * has removed the server, the slot is the same, for then the removal is done. If another server has
 * taken its place, the slot is that of the other one.
 */
async function slotAfterChange(cluster: Cluster, name: string): Promise<number> {
  const slot = slotNamed(cluster, name);
  await finishChange(cluster);
  const { config, listed } = cluster.view;
  const isOver = !listed.includes(slot) && config.seats[slot]?.heir === null;
  return isOver ? slot : slotNamed(cluster, name);
}

/** Tells that a member is at another address now. */
async function reportMoved(
  cluster: Cluster,
  task: Task,
  slot: number,
  server: ServerAddress,
): Promise<number> {
  const name = cluster.labelOf(slot);
  await printLine(
    task,
    `${name} is at ${writtenAddress(server)}: whoever finds another server finds it there`,
  );
  await reportMissing(cluster, task);
  return 0;
}

/** Prints a line for people. */
const printLine = ({ flags }: Task, line: string): Promise<void> =>
  flags.json ? Promise.resolve() : print(line);

/** Throws DfsError("usage") if it is no weight. */
function weightFrom(text: string): number {
  const weight = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (weight >= 1 && weight <= WEIGHT_MAX) return weight;
  throw new DfsError(
    "usage",
    `${text} is no weight: it is a whole number from 1 to ${WEIGHT_MAX}, which is that of the largest disk`,
  );
}

/** The address of the new server: from the command, or from dfc.conf. */
function addressFor({ setup, name, address }: Task): ServerAddress {
  if (address !== undefined) return serverOf(name, address);
  const listed = setup.configuration.servers.find((server) => server.name === name);
  if (listed) return listed;
  throw new DfsError(
    "usage",
    `where is ${name}? ${setup.configuration.path} does not say: write it after the name, as HOST:PORT`,
  );
}

async function list(cluster: Cluster, task: Task): Promise<number> {
  const { config } = cluster.view;
  const servers = membersOf(cluster);
  if (task.flags.json) {
    if (task.flags.write) await reportMissing(cluster, task);
    await printJson({ epoch: config.epoch, isChanging: config.next !== null, servers });
    return 0;
  }
  const rows = servers.map(({ name, address, id, weight, state }) => [
    name,
    address,
    id ?? "-",
    String(weight),
    state,
  ]);
  const header = ["SERVER", "ADDRESS", "ID", "WEIGHT", "STATE"];
  for (const line of tableLines([header, ...rows])) await print(line);
  if (config.next) await print("a change is not finished: dfs-tool repair finishes it");
  const absence = absenceWarning(cluster);
  if (absence !== null) await print(absence);
  await reportMissing(cluster, task);
  return 0;
}

/**
 * Tells which lines a dfc.conf lacks, or writes them. A client finds the missing servers anyway, as
 * long as it finds any that the file names.
 */
async function reportMissing(cluster: Cluster, task: Task): Promise<void> {
  const { path, servers } = task.setup.configuration;
  const missing = missingIn(cluster, servers);
  if (task.flags.write) await writeServers(path, missing);
  if (missing.length === 0) return;
  await printLine(task, task.flags.write ? `written into ${path}:` : `${path} lacks:`);
  for (const server of missing)
    await printLine(
      task,
      serverLine(server) + (task.flags.write ? "" : insteadIn(server, servers)),
    );
  if (!task.flags.write) await printLine(task, "dfs-tool server list --write writes that into it");
}
