/** dfs-tool server: who makes the cluster, and how that changes. */
import { defineCommand } from "citty";
import type { Cluster } from "../client/cluster.ts";
import { counted } from "../client/counted.ts";
import { addressText } from "../client/greeter.ts";
import {
  addServer,
  drainServer,
  ID_DIGITS,
  removeServer,
  replaceServer,
  slotNamed,
} from "../client/members.ts";
import { finishChange } from "../client/migrate.ts";
import type { ServerAddress } from "../membership.ts";
import { needOf } from "../client/safety.ts";
import { absenceIn, strangersIn } from "../client/seats.ts";
import { DfsError, exitStatus } from "../errors.ts";
import { actionIn } from "./arguments.ts";
import { type CommonFlags, commonFlags } from "./flags.ts";
import { serverOf } from "./config.ts";
import { serverLine, writeServers } from "./edit_config.ts";
import { type Setup, setUp, withCluster } from "./open.ts";
import { repairAndTell } from "./repair.ts";
import { print, printJson } from "./stdout.ts";
import { tableLines } from "./units.ts";

const ACTIONS = {
  list: "list",
  add: "add NAME [HOST:PORT]",
  drain: "drain NAME",
  replace: "replace NAME [HOST:PORT]",
  remove: "remove NAME",
} as const;
type Action = keyof typeof ACTIONS;
/** What may follow the command's name. */
export const SERVER_ACTIONS = Object.keys(ACTIONS);

export const serverCommand = defineCommand({
  meta: { description: "Show the servers of the cluster; add, drain, replace or remove one" },
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
      description: "Where a new one is; in dfc.conf where nothing is said",
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
    const doing = `dfs-tool server ${action} ${task.name}`;
    return withCluster(setup, (cluster) => RUN[action](cluster, task), { keys: "handy", doing });
  },
});

/** What is to be done with which server. */
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
  if (!isWanted || (address !== undefined && !form.includes("HOST")))
    throw new DfsError("usage", `it is dfs-tool server ${form}`);
  return action;
}

const RUN: Readonly<Record<Action, (cluster: Cluster, task: Task) => Promise<number>>> = {
  list,

  async add(cluster, task) {
    const server = addressFor(task);
    await addServer(cluster, server);
    await tell(
      task,
      `${server.name} is a member: the cluster has ${counted(cluster.view.members.length, "server")}`,
    );
    await tell(task, "new files use it; dfs-tool rebalance moves those that are there");
    await tellMissing(cluster, task);
    return 0;
  },

  async drain(cluster, task) {
    const { setup, flags } = task;
    const slot = slotNamed(cluster, task.name);
    const name = cluster.labelOf(slot);
    await drainServer(cluster, slot);
    await repairAndTell(cluster, setup, flags);
    const { pieces, isTold } = await needOf(cluster, slot);
    const isDone = pieces === 0 && isTold;
    await tell(
      task,
      isDone
        ? `nothing lies on ${name} any more: it is safe to remove, with dfs-tool server remove ${name}`
        : !isTold
          ? `${name} cannot read all its records, and so not tell what lies on it: dfs-tool server replace ${name} does without it`
          : `${counted(pieces, "piece still lies", "pieces still lie")} on ${name}: it is not safe to remove; try again`,
    );
    return isDone ? 0 : exitStatus("partly");
  },

  async replace(cluster, task) {
    const { setup, flags } = task;
    const slot = slotNamed(cluster, task.name);
    const name = cluster.labelOf(slot);
    await replaceServer(cluster, slot, addressFor({ ...task, name }));
    await tell(
      task,
      `another server has the place of ${name}; what it should hold is brought there`,
    );
    const status = await repairAndTell(cluster, setup, flags);
    await tellMissing(cluster, task);
    return status;
  },

  async remove(cluster, task) {
    const { setup, flags } = task;
    await finishChange(cluster);
    const slot = slotNamed(cluster, task.name);
    const name = cluster.labelOf(slot);
    const isGone = cluster.peer(slot) === null;
    await removeServer(cluster, slot, (line) => tell(task, line));
    await tell(task, `${name} is no member any more: take it out of dfc.conf, and stop it`);
    return isGone ? repairAndTell(cluster, setup, flags) : 0;
  },
};

/** A line for people. */
const tell = ({ flags }: Task, line: string): Promise<void> =>
  flags.json ? Promise.resolve() : print(line);

/** Where the new server is: as the command says, or dfc.conf. */
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
  const { config, listed } = cluster.view;
  const servers = listed.flatMap((slot) => {
    const seat = config.seats[slot];
    if (!seat) return [];
    const name = cluster.labelOf(slot);
    const { host, port } = cluster.peer(slot)?.address ?? seat;
    const sid = seat.sid?.slice(0, ID_DIGITS) ?? null;
    return [{ name, address: `${host}:${port}`, id: sid, state: stateOf(cluster, slot) }];
  });
  if (task.flags.json) {
    if (task.flags.write) await tellMissing(cluster, task);
    await printJson({ epoch: config.epoch, isChanging: config.next !== null, servers });
    return 0;
  }
  const rows = servers.map(({ name, address, id, state }) => [name, address, id ?? "-", state]);
  for (const line of tableLines([["SERVER", "ADDRESS", "ID", "STATE"], ...rows])) await print(line);
  if (config.next) await print("a change is not finished: dfs-tool repair finishes it");
  const absence = absenceIn(cluster);
  if (absence !== null) await print(absence);
  await tellMissing(cluster, task);
  return 0;
}

/** What people need to know of a member. */
function stateOf(cluster: Cluster, slot: number): string {
  const { config } = cluster.view;
  const states: string[] = [];
  const stranger = strangersIn(cluster).find((one) => one.slot === slot && !one.peer.isDown);
  if (cluster.peer(slot)) states.push("up");
  else if (stranger?.is === "lost") states.push("down, its data lost");
  else if (config.seats[slot]?.sid !== null) states.push("down");
  else states.push(stranger ? "there, not joined yet" : "never seen");
  if (config.leaving.includes(slot)) states.push("holds no new pieces");
  if (config.next && !config.voters.includes(slot)) states.push("joining");
  if (config.next && !config.next.includes(slot)) states.push("going");
  return states.join(", ");
}

/** The lines that a dfc.conf lacks: its clients find these servers as long as they find any that it names. */
async function tellMissing(cluster: Cluster, task: Task): Promise<void> {
  const { path, servers } = task.setup.configuration;
  const { config, listed } = cluster.view;
  const known = new Set(servers.map(addressText));
  const missing = listed.flatMap((slot) => {
    const seat = config.seats[slot];
    const at = cluster.peer(slot)?.address ?? seat;
    return seat && at && !known.has(addressText(at)) && !known.has(addressText(seat))
      ? [{ ...seat, name: cluster.labelOf(slot) }]
      : [];
  });
  if (task.flags.write) await writeServers(path, missing);
  if (missing.length === 0) return;
  await tell(task, task.flags.write ? `written into ${path}:` : `${path} lacks:`);
  for (const server of missing) await tell(task, serverLine(server));
  if (!task.flags.write) await tell(task, "dfs-tool server list --write writes that into it");
}
