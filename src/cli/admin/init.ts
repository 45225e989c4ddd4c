/**
 * dfs-tool init: writes a client's dfc.conf. If a cluster runs already, it takes all servers from
 * it.
 */
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { defineCommand } from "citty";
import { discoverServers } from "../../client/members/discover.ts";
import { DfsError, isDfsError } from "../../errors.ts";
import { bunClock, bunNet, bunRandom } from "../../io/bun.ts";
import { reasonOf } from "../../io/reason.ts";
import { passwordIn } from "../../io/stretch.ts";
import type { ServerAddress } from "../../membership.ts";
import { credentialsOf } from "../../wire/login.ts";
import { HERE, parseConfiguration } from "../../api/config/config.ts";
import { serverLine } from "../config/edit_config.ts";
import { plainFlags } from "../../terminal/flags.ts";
import { type Log, openLog } from "../../terminal/log.ts";
import { askFor } from "../config/ask_for.ts";
import { canAsk } from "../../terminal/ask_password.ts";
import { print, printJson } from "../../terminal/stdout.ts";

/** Others may read the file, for it contains no password. Only its owner may write it. */
const RIGHTS = 0o644;

export const initCommand = defineCommand({
  meta: { description: "Write a dfc.conf, for the servers at these addresses" },
  args: {
    "host:port...": {
      type: "positional",
      required: true,
      description: "Where servers are: all of a new cluster, some of one that is there",
    },
    user: { type: "string", valueHint: "NAME", description: "The user, where servers have users" },
    ...plainFlags,
  },
  async run({ args }) {
    const log = await openLog(args);
    const path = args.config ?? HERE;
    const user = args.user ?? "";
    const given = args._.map((where, i) => `Server DFS${i + 1} ${where}\n`).join("");
    const userLine = user === "" ? "" : `Username: ${user}\n`;
    const { servers } = parseGiven(given + userLine);
    const found = await lookFor(servers, user, log);
    const text = found ? found.map((server) => `${serverLine(server)}\n`).join("") : given;
    parseConfiguration(text + userLine, path);
    await writeNew(path, text + userLine);
    const names = (found ?? servers).map(({ name }) => name);
    if (args.json) return printJson({ path, servers: names });
    return print(`${path} is written: ${names.join(", ")}`);
  },
});

/** Errors of the addresses become errors of the command. */
function parseGiven(text: string): ReturnType<typeof parseConfiguration> {
  try {
    return parseConfiguration(text, "");
  } catch (error) {
    if (!isDfsError(error)) throw error;
    throw new DfsError("usage", error.message.replace(/^(?::\d+)?: /, ""));
  }
}

/**
 * All servers of the cluster that these belong to; null if they have not founded one, or none
 * answers. Throws DfsError("login").
 */
async function lookFor(
  servers: readonly ServerAddress[],
  user: string,
  log: Log,
): Promise<ServerAddress[] | null> {
  const ports = { clock: bunClock, random: bunRandom, net: bunNet };
  const password = user === "" ? null : await passwordFor(user);
  const credentials = password
    ? [passwordIn(user, password).login.then((login) => credentialsOf(user, login))]
    : [];
  const login = password === null ? null : { credentials, offersScram: true };
  const warn = (line: string): void => log.warn(line);
  try {
    return await discoverServers(ports, servers, { user, login, isPlain: false, warn });
  } catch (error) {
    if (isDfsError(error, "login") && user === "")
      throw new DfsError("login", "the servers have users: say who you are with --user NAME");
    const isUnasked = isDfsError(error, "login") && password === null;
    if (!isUnasked && !isDfsError(error, "tooFew")) throw error;
    const why = isUnasked ? "no password was given, in $DFS_PASSWORD" : error.message;
    log.warn(`${why}: the servers are written down as they were given`);
    return null;
  }
}

/** null if there is nobody to ask. */
async function passwordFor(user: string): Promise<string | null> {
  return process.env.DFS_PASSWORD ?? (canAsk() ? askFor(user) : null);
}

/** Throws DfsError("config") if there is a file already. */
async function writeNew(path: string, text: string): Promise<void> {
  try {
    const { O_CREAT, O_EXCL, O_WRONLY } = constants;
    await using handle = await open(path, O_CREAT | O_EXCL | O_WRONLY, RIGHTS);
    await handle.writeFile(text);
  } catch (error) {
    const isThere = (error as NodeJS.ErrnoException).code === "EEXIST";
    throw new DfsError(
      "config",
      isThere
        ? `${path} is there already, and stays as it is: dfs-tool server list --write adds servers that it lacks`
        : `${path} cannot be written: ${reasonOf(error)}`,
    );
  }
}
