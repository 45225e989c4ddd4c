/** The composition root of the client: flags and configuration → real ports → a cluster, and its user's keys. */
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
  /** null: there is none. To stretch it takes a while, and begins at once. */
  readonly password: Password | null;
}

/** What was said of the password already: the prompt sets up each of its commands anew. */
const warned = new Set<string>();
/** Passwords that were typed, and let in, by configuration and user: the prompt asks once. */
const typed = new Map<string, string>();
const typedKey = ({ path, user }: Configuration): string => `${path}\0${user}`;

/** Reads the configuration, and gets the password; throws DfsError("config"). */
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

export interface OpenHow {
  /** How long a server has to answer at first; what dfc.conf says, or a second, where nothing is said. */
  readonly patienceMs?: number;
  /** Is it about names and contents? Else the keys that seal them are not needed, and only used where there are some. */
  readonly keys?: "needed" | "handy" | "none";
  /** Another password that a server may know the user by: one that is just being changed. */
  readonly also?: Password;
  /** The command, as advice has it: who is just doing it is not told to. */
  readonly doing?: string;
}

/**
 * Opens the cluster for `work` and closes it after it. A password that the servers want and nobody has told is asked for. Throws
 * DfsError("tooFew", "config", "login") when it cannot be opened.
 */
export async function withCluster<T>(
  setup: Setup,
  work: (cluster: Cluster, opener: Opener | null) => Promise<T>,
  how: OpenHow = {},
): Promise<T> {
  const seen = openSeen(setup.configuration.path, (line) => setup.log.warn(line));
  try {
    const [cluster, opener] = await openOrAsk(setup, seen, how);
    try {
      if (!opener || how.keys === "none") return await work(cluster, opener);
      // Without a password no command waits for the ciphers to load.
      const { unlock } = await import("../../client/agree/unlock.ts");
      return await work(await unlock(cluster, opener, seen, how.keys !== "handy"), opener);
    } finally {
      cluster.close();
    }
  } finally {
    seen.close();
  }
}

type Opened = [cluster: Cluster, opener: Opener | null];

async function openOrAsk(setup: Setup, seen: SeenFile, how: OpenHow): Promise<Opened> {
  const { password, configuration } = setup;
  const { user } = configuration;
  const ask = async (): Promise<Opened> => {
    const answer = await askFor(user);
    const opened = await open(setup, seen, passwordIn(user, answer), how);
    typed.set(typedKey(configuration), answer);
    return opened;
  };
  if (password === null && mustLogIn(configuration)) {
    if (canAsk()) return ask();
    setup.log.warn(lackOf(configuration));
    throw new DfsError("login", INVALID_LOGIN);
  }
  try {
    return await open(setup, seen, password, how);
  } catch (error) {
    if (!isDfsError(error, "login")) throw error;
    // One that was changed meanwhile is asked for again, at the next line of the prompt.
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

/** What a configuration lacks of a user with a password, as servers want one. */
const lackOf = ({ path, user }: Configuration): string =>
  user === ""
    ? `the servers want a user: write lines "Username: NAME" and "Password: WORD" into ${path}`
    : `the password of ${user} goes into ${path}, or $DFS_PASSWORD`;

/** Does a user talk to other machines? Without a login whoever gets between could say that there are no users, and get all in the open. */
export const mustLogIn = ({ user, isPlain, servers }: Configuration): boolean =>
  user !== "" && !isPlain && servers.some(({ host }) => !isLoopback(host));

async function open(
  { configuration, log }: Setup,
  memory: SeenFile,
  password: Password | null,
  { patienceMs, also, keys, doing }: OpenHow,
): Promise<Opened> {
  const ports = { clock: bunClock, random: bunRandom, net: bunNet };
  const { servers, user, isPlain } = configuration;
  const opener = password && new Opener(password);
  // The key is mostly the one of before: what opens it is worked out while servers are connected to.
  const known = keys === "none" ? null : memory.keyOf(user);
  if (known) opener?.begin(known.record);
  const credentials = [password, also].flatMap((one) =>
    one ? [one.login.then((login) => credentialsOf(user, login))] : [],
  );
  for (const one of credentials) one.catch(() => {});
  const login = password && { credentials, offersScram: !hasSigned(memory, user) };
  const warn = (line: string): void => {
    if (doing === undefined || !line.endsWith(doing)) log.warn(line);
  };
  const patience = patienceMs ?? configuration.patienceMs ?? FIRST_REPLY_MS;
  const options = { user, login, isPlain, warn, memory, patienceMs: patience };
  const cluster = await openCluster(ports, servers, options);
  if (cluster.connections.isSigned) noteSigned(memory, user);
  if (password && !cluster.connections.isLoggedIn)
    log.info(`the servers know no users: nobody checks the password of ${user}`);
  return [cluster, opener];
}
