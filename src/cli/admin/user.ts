/** dfs-tool user: the users of a server, in its file of users. */
import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { defineCommand } from "citty";
import { DfsError } from "../../errors.ts";
import { stretch } from "../../io/stretch.ts";
import { type Verifier, verifierOf } from "../../wire/login.ts";
import { actionIn } from "../invocation/arguments.ts";
import {
  addUser,
  type Edited,
  refuseKnown,
  removeUser,
  setVerifier,
  userNamed,
} from "../../server/users/edit_users.ts";
import { type CommonFlags, plainFlags } from "../../terminal/flags.ts";
import { printToStderr } from "../../terminal/log.ts";
import { newPassword } from "../config/ask_for.ts";
import { changeOwnPassword } from "./passwd.ts";
import { print, printJson } from "../../terminal/stdout.ts";
import { tableLines } from "../../terminal/units.ts";
import {
  faultOfUser,
  operatorsOf,
  parseUsers,
  readUsers,
  type UserLine,
  USERS_FILE,
} from "../../server/users/users.ts";

/** The mode of a folder that is made for a server. */
const OWNER_ONLY = 0o700;

const ACTIONS = {
  add: "add PLACE NAME",
  remove: "remove PLACE NAME",
  list: "list PLACE",
  passwd: "passwd [PLACE NAME]",
} as const;
type Action = keyof typeof ACTIONS;
/** The words that may follow the command's name. */
export const USER_ACTIONS = Object.keys(ACTIONS);

export const userCommand = defineCommand({
  meta: { description: "Show the users of a server; add or remove one, or change a password" },
  args: {
    action: {
      type: "positional",
      required: true,
      description: Object.values(ACTIONS).join(", "),
    },
    place: {
      type: "positional",
      required: false,
      description: "A server's folder, or the dfs.conf of several",
    },
    name: { type: "positional", required: false, description: "The user" },
    operator: {
      type: "boolean",
      description: "With add: the user may also do what concerns all users",
    },
    ...plainFlags,
  },
  async run({ args }) {
    const action = actionIn("user", ACTIONS, args.action);
    if (action === "passwd" && args.place === undefined) return changeOwnPassword(args);
    return RUN[action](taskOf(action, args.place, args.name, args));
  },
});

/** What to do, and in which file. */
interface Task {
  readonly flags: CommonFlags & { readonly operator?: boolean | undefined };
  readonly place: string;
  readonly name: string;
}

function taskOf(action: Action, place?: string, name?: string, flags: Task["flags"] = {}): Task {
  const form = ACTIONS[action];
  if (!place || form.includes("NAME") !== (name !== undefined))
    throw new DfsError("usage", `it is dfs-tool user ${form}`);
  if (flags.operator && action !== "add")
    throw new DfsError("usage", "--operator goes with dfs-tool user add only");
  const fault = name === undefined ? null : faultOfUser(name);
  if (fault !== null)
    throw new DfsError("usage", `${JSON.stringify(name)} cannot be the name of a user: ${fault}`);
  return { flags, place, name: name ?? "" };
}

const RUN: Readonly<Record<Action, (task: Task) => Promise<void>>> = {
  async add({ flags, place, name }) {
    const path = await fileOf(place, true);
    // Checked before the password is asked for, and again when the file is changed.
    const known = (await usersIn(path)).find((user) => user.name === name);
    if (known) refuseKnown(path, known);
    const verifier = await newVerifier(name);
    if (path !== place) await mkdir(place, { recursive: true, mode: OWNER_ONLY });
    reportChange(flags, path, name, await addUser(path, name, verifier, flags.operator ?? false));
  },

  async remove({ flags, place, name }) {
    const path = await fileOf(place, false);
    reportChange(flags, path, name, await removeUser(path, name));
  },

  async list({ flags, place }) {
    const users = await usersIn(await fileOf(place, false));
    const operators = operatorsOf(users);
    const rows = users.map(({ name }) => ({ name, isOperator: operators.has(name) }));
    if (flags.json) return printJson({ users: rows });
    const lines = rows.map(({ name, isOperator }) => [name, isOperator ? "operator" : "user"]);
    for (const line of tableLines([["NAME", "ROLE"], ...lines])) await print(line);
  },

  async passwd({ flags, place, name }) {
    const path = await fileOf(place, false);
    userNamed(await usersIn(path), path, name);
    reportChange(flags, path, name, await setVerifier(path, name, await newVerifier(name)));
  },
};

/**
 * The file of users of a place: the place itself, or the file in that folder. With `mayMake` it may
 * be absent.
 */
async function fileOf(place: string, mayMake: boolean): Promise<string> {
  const found = await stat(place).catch(() => null);
  if (found?.isFile()) return place;
  const isFile = place.endsWith(".conf") && !found?.isDirectory();
  if (!found && !mayMake)
    throw new DfsError("usage", `${place}: there is no such ${isFile ? "file" : "folder or file"}`);
  return isFile ? place : join(place, USERS_FILE);
}

const usersIn = async (path: string): Promise<UserLine[]> =>
  parseUsers((await readUsers(path)) ?? "", path);

async function newVerifier(name: string): Promise<Verifier> {
  const { login } = await stretch(name, await newPassword(name));
  return verifierOf(name, login);
}

/** Tells the consequences of a change that may surprise its user. */
function reportChange(
  flags: CommonFlags,
  path: string,
  name: string,
  { before, after }: Edited,
): void {
  if (!flags.quiet)
    printToStderr(
      `${path}: the change counts at once for the server that reads this file; do the same for the others`,
    );
  const [were, are] = [operatorsOf(before), operatorsOf(after)];
  if (were.size > 0 && are.size === 0 && after.length > 0)
    printToStderr(
      `warning: nobody in ${path} is an operator now: nobody can change the cluster there before dfs-tool user add ${path} NAME --operator`,
    );
  for (const user of after) {
    if (user.name === name || were.has(user.name) === are.has(user.name)) continue;
    printToStderr(
      are.has(user.name)
        ? `${user.name} is the operator now: the first user is where none is marked`
        : `${user.name} is no operator any more: the first user is only where none is marked`,
    );
  }
}
