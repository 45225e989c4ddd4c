/**
 * Opens the cluster for a command: it joins flags and configuration with the real ports, and gets
 * the user's keys. Used by all commands that talk to servers.
 */
import type { Cluster } from "../../client/connect/cluster.ts";
import { openCluster } from "../../client/members/open.ts";
import { hasSigned, noteSigned } from "../../client/connect/login.ts";
import { Opener } from "../../client/trust/opener.ts";
import { DfsError, INVALID_LOGIN, isDfsError } from "../../errors.ts";
import { FIRST_REPLY_MS } from "../../limits.ts";
import { bunClock, bunNet, bunRandom } from "../../io/bun.ts";
import { type Password, passwordIn } from "../../io/stretch.ts";
import { isLoopback } from "../../wire/handshake.ts";
import { credentialsOf } from "../../wire/login.ts";
import { type Configuration, loadConfiguration } from "./config.ts";
import type { CommonFlags } from "../../terminal/flags.ts";
import { type Log, openLog } from "../../terminal/log.ts";
import { askFor, passwordOf } from "./password.ts";
import { canAsk } from "../../terminal/ask_password.ts";
import { openSeen, type SeenFile } from "./seen.ts";

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

export interface OpenOptions {
  /**
   * How long a server may take for its first reply, in ms. By default what dfc.conf says, or a
   * second.
   */
  readonly patienceMs?: number;
  /**
   * Does the command need the keys that seal names and contents? "handy": they are used only if
   * there are any.
   */
  readonly keys?: "needed" | "handy" | "none";
  /** Another password by which servers may know the user, while it is being changed. */
  readonly nextPassword?: Password;
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
    const [cluster, opener] = await openOrAsk(setup, seen, options);
    try {
      if (!opener || options.keys === "none") return await work(cluster, opener);
      // Loaded here, so that a command without a password does not wait for the ciphers.
      const { unlock } = await import("../../client/agree/unlock.ts");
      return await work(await unlock(cluster, opener, seen, options.keys !== "handy"), opener);
    } finally {
      cluster.close();
    }
  } finally {
    seen.close();
  }
}

type Opened = [cluster: Cluster, opener: Opener | null];

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

/**
 * Must this user log in, since other machines are involved? Without a login, a man in the middle
 * could say that there are no users, and would get everything in the open.
 */
export const mustLogIn = ({ user, isPlain, servers }: Configuration): boolean =>
  user !== "" && !isPlain && servers.some(({ host }) => !isLoopback(host));

async function open(
  { configuration, log }: Setup,
  memory: SeenFile,
  password: Password | null,
  { patienceMs, nextPassword, keys, command }: OpenOptions,
): Promise<Opened> {
  const ports = { clock: bunClock, random: bunRandom, net: bunNet };
  const { servers, user, isPlain } = configuration;
  const opener = password && new Opener(password);
  // The key is mostly the same as last time: it is opened while the servers are being connected.
  const known = keys === "none" ? null : memory.keyOf(user);
  if (known) opener?.begin(known.record);
  const credentials = [password, nextPassword].flatMap((item) =>
    item ? [item.login.then((login) => credentialsOf(user, login))] : [],
  );
  for (const item of credentials) item.catch(() => {});
  const login = password && { credentials, offersScram: !hasSigned(memory, user) };
  const warn = (line: string): void => {
    if (command === undefined || !line.endsWith(command)) log.warn(line);
  };
  const patience = patienceMs ?? configuration.patienceMs ?? FIRST_REPLY_MS;
  const options = { user, login, isPlain, warn, memory, patienceMs: patience };
  const cluster = await openCluster(ports, servers, options);
  if (cluster.connections.isSigned) noteSigned(memory, user);
  if (password && !cluster.connections.isLoggedIn)
    log.info(`the servers know no users: nobody checks the password of ${user}`);
  return [cluster, opener];
}
