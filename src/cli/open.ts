/** The composition root of the client: flags and configuration → real ports → a cluster, and its user's keys. */
import type { Cluster } from "../client/cluster.ts";
import { openCluster } from "../client/open.ts";
import { unlock } from "../client/unlock.ts";
import { DfsError, INVALID_LOGIN, isDfsError } from "../errors.ts";
import { FIRST_REPLY_MS } from "../limits.ts";
import { bunClock, bunNet, bunRandom } from "../io/bun.ts";
import { type Stretched, stretch } from "../io/stretch.ts";
import { isLoopback } from "../wire/handshake.ts";
import { credentialsOf } from "../wire/scram.ts";
import { type Configuration, loadConfiguration } from "./config.ts";
import type { CommonFlags } from "./flags.ts";
import { type Log, openLog } from "./log.ts";
import { askFor, canAsk, passwordOf } from "./password.ts";
import { openSeen, type SeenFile } from "./seen.ts";

/** What a command knows before it talks to any server. */
export interface Setup {
  readonly configuration: Configuration;
  readonly log: Log;
  /** What the password comes to; null: there is none. It takes a while, and begins at once. */
  readonly stretched: Promise<Stretched> | null;
}

/** Reads the configuration, and gets the password; throws DfsError("config"). */
export async function setUp(flags: CommonFlags): Promise<Setup> {
  const log = await openLog(flags);
  const configuration = loadConfiguration(flags.config);
  log.info(`${configuration.path}: ${configuration.servers.map(({ name }) => name).join(", ")}`);
  const password = await passwordOf(configuration, (line) => log.warn(line));
  const stretched = password === null ? null : stretch(configuration.user, password);
  // Whoever needs it meets its error.
  stretched?.catch(() => {});
  return { configuration, log, stretched };
}

const NO_PASSWORD: Stretched = { login: "", wrap: new Uint8Array() };

export interface OpenHow {
  /** How long a server has to answer at first; what dfc.conf says, or a second, where nothing is said. */
  readonly patienceMs?: number;
  /** Is it about names and contents? Else the keys that seal them are not needed, and only used where there are some. */
  readonly keys?: "needed" | "handy" | "none";
  /** Another password that a server may know the user by: one that is just being changed. */
  readonly also?: Promise<Stretched>;
}

/**
 * Opens the cluster for `work` and closes it after it. A password that the servers want and nobody has told is asked for. Throws
 * DfsError("tooFew", "config", "login") when it cannot be opened.
 */
export async function withCluster<T>(
  setup: Setup,
  work: (cluster: Cluster, stretched: Stretched) => Promise<T>,
  how: OpenHow = {},
): Promise<T> {
  const seen = openSeen(setup.configuration.path, (line) => setup.log.warn(line));
  try {
    const [cluster, stretched] = await openOrAsk(setup, seen, how);
    try {
      const secrets = await stretched;
      if (!secrets || how.keys === "none") return await work(cluster, secrets ?? NO_PASSWORD);
      return await work(await unlock(cluster, secrets.wrap, seen, how.keys !== "handy"), secrets);
    } finally {
      cluster.close();
    }
  } finally {
    seen.close();
  }
}

async function openOrAsk(
  setup: Setup,
  seen: SeenFile,
  how: OpenHow,
): Promise<[Cluster, Setup["stretched"]]> {
  const { stretched, configuration } = setup;
  const { user } = configuration;
  const ask = async (): Promise<[Cluster, Setup["stretched"]]> => {
    const asked = stretch(user, await askFor(user));
    return [await open(setup, seen, asked, how), asked];
  };
  if (stretched === null && mustLogIn(configuration)) {
    if (canAsk()) return ask();
    setup.log.warn(`the password of ${user} goes into ${configuration.path}, or $DFS_PASSWORD`);
    throw new DfsError("login", INVALID_LOGIN);
  }
  try {
    return [await open(setup, seen, stretched, how), stretched];
  } catch (error) {
    const isWanted = isDfsError(error, "login") && stretched === null && user !== "";
    if (!isWanted || !canAsk()) throw error;
    return ask();
  }
}

/** Does a user talk to other machines? Without a login whoever gets between could say that there are no users, and get all in the open. */
export const mustLogIn = ({ user, isPlain, servers }: Configuration): boolean =>
  user !== "" && !isPlain && servers.some(({ host }) => !isLoopback(host));

function open(
  { configuration, log }: Setup,
  memory: SeenFile,
  stretched: Setup["stretched"],
  { patienceMs, also }: OpenHow,
): Promise<Cluster> {
  const ports = { clock: bunClock, random: bunRandom, net: bunNet };
  const { servers, user, isPlain } = configuration;
  const patience = patienceMs ?? configuration.patienceMs ?? FIRST_REPLY_MS;
  const credentials = [stretched, also].flatMap((one) =>
    one ? [one.then(({ login }) => credentialsOf(user, login))] : [],
  );
  for (const one of credentials) one.catch(() => {});
  const login = stretched ? { credentials } : null;
  const warn = (line: string): void => log.warn(line);
  return openCluster(ports, servers, { user, login, isPlain, warn, memory, patienceMs: patience });
}
