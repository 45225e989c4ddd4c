/**
 * Opens the cluster for a command: it joins flags and configuration, and asks for the password where
 * that is not known. Used by all commands that talk to servers.
 */
import {
  connect,
  mustLogIn,
  type Opened,
  type OpeningOptions,
  withKeys,
} from "../../api/opening.ts";
import type { Cluster } from "../../client/connect/cluster.ts";
import type { Opener } from "../../client/trust/opener.ts";
import { DfsError, INVALID_LOGIN, isDfsError } from "../../errors.ts";
import { type Password, passwordIn } from "../../io/stretch.ts";
import { type Configuration, loadConfiguration } from "../../api/config/config.ts";
import { passwordOf } from "../../api/config/password.ts";
import { openSeen, type SeenFile } from "../../api/config/seen.ts";
import { canAsk } from "../../terminal/ask_password.ts";
import type { CommonFlags } from "../../terminal/flags.ts";
import { type Log, openLog } from "../../terminal/log.ts";
import { askFor } from "./ask_for.ts";

/** What a command knows before it talks to any server. */
export interface Setup {
  readonly configuration: Configuration;
  readonly log: Log;
  /** null if there is none. It takes a while to stretch; that begins at once. */
  readonly password: Password | null;
}

/**
 * Warnings about the password that were printed already: a shell sets up each of its commands anew.
 */
const warned = new Set<string>();
/** Passwords that were typed and accepted, by configuration and user, so that a shell asks once. */
const typed = new Map<string, string>();
const typedKey = ({ path, user }: Configuration): string => `${path}\0${user}`;

/** Reads the configuration, and gets the password. Throws DfsError("config"). */
export async function setUp(flags: CommonFlags): Promise<Setup> {
  const log = await openLog(flags);
  const configuration = loadConfiguration(flags.config);
  log.info(`${configuration.path}: ${configuration.servers.map(({ name }) => name).join(", ")}`);
  const text = await passwordOf(configuration, (line) => {
    if (!warned.has(line)) log.warn(line);
    warned.add(line);
  });
  const known = text ?? typed.get(typedKey(configuration)) ?? null;
  const password = known === null ? null : passwordIn(configuration.user, known);
  return { configuration, log, password };
}

export interface OpenOptions extends Pick<OpeningOptions, "patienceMs" | "keys" | "nextPassword"> {
  /**
   * The command line in the form that advice uses: a user who is just running it does not get that
   * advice.
   */
  readonly command?: string;
}

/**
 * Opens the cluster, runs `work`, and closes the cluster. Asks for the password if the servers want
 * one and it is not given. Throws DfsError("tooFew", "config", "login") if the cluster cannot be
 * opened.
 */
export async function withCluster<T>(
  setup: Setup,
  work: (cluster: Cluster, opener: Opener | null) => Promise<T>,
  options: OpenOptions = {},
): Promise<T> {
  const seen = openSeen(setup.configuration.path, (line) => setup.log.warn(line));
  try {
    const opened = await openOrAsk(setup, seen, options);
    const [cluster, opener] = opened;
    try {
      return await work(await withKeys(opened, seen, options.keys), opener);
    } finally {
      cluster.close();
    }
  } finally {
    seen.close();
  }
}

async function openOrAsk(setup: Setup, seen: SeenFile, options: OpenOptions): Promise<Opened> {
  const { password, configuration } = setup;
  const { user } = configuration;
  const ask = async (): Promise<Opened> => {
    const answer = await askFor(user);
    const opened = await open(setup, seen, passwordIn(user, answer), options);
    typed.set(typedKey(configuration), answer);
    return opened;
  };
  if (password === null && mustLogIn(configuration)) {
    if (canAsk()) return ask();
    setup.log.warn(lackOf(configuration));
    throw new DfsError("login", INVALID_LOGIN);
  }
  try {
    return await open(setup, seen, password, options);
  } catch (error) {
    if (!isDfsError(error, "login")) throw error;
    // If the password was changed meanwhile, the next line of the shell asks for it again.
    typed.delete(typedKey(configuration));
    if (password === null) {
      if (user !== "" && canAsk()) return ask();
      setup.log.warn(lackOf(configuration));
    } else if (error.message === INVALID_LOGIN && mustLogIn(configuration))
      setup.log.warn(
        "if the password is right, somebody may be between this computer and the servers",
      );
    throw error;
  }
}

/** What a configuration lacks if the servers want a user with a password. */
const lackOf = ({ path, user }: Configuration): string =>
  user === ""
    ? `the servers want a user: write lines "Username: NAME" and "Password: WORD" into ${path}`
    : `the password of ${user} goes into ${path}, or $DFS_PASSWORD`;

function open(
  { configuration, log }: Setup,
  memory: SeenFile,
  password: Password | null,
  { command, ...options }: OpenOptions,
): Promise<Opened> {
  const warn = (line: string): void => {
    if (command === undefined || !line.endsWith(command)) log.warn(line);
  };
  const info = (line: string): void => log.info(line);
  return connect(configuration, memory, password, { ...options, warn, info });
}
