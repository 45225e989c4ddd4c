/**
 * Opens a cluster for a user on the real ports: it logs in, and gets the keys that seal. Used by
 * store.ts, and by the commands, which also ask for passwords at a terminal.
 */
import type { KeyMemory } from "../client/agree/unlock.ts";
import type { Cluster } from "../client/connect/cluster.ts";
import { hasSigned, noteSigned } from "../client/connect/login.ts";
import { openCluster } from "../client/members/open.ts";
import type { ClusterMemory } from "../client/trust/memory.ts";
import { Opener } from "../client/trust/opener.ts";
import { bunClock, bunNet, bunRandom } from "../io/bun.ts";
import type { Password } from "../io/stretch.ts";
import { FIRST_REPLY_MS } from "../limits.ts";
import { isLoopback } from "../wire/handshake.ts";
import { credentialsOf } from "../wire/login.ts";
import type { Configuration } from "./config/config.ts";

/** The servers, and who uses them. */
export type Access = Pick<Configuration, "servers" | "user" | "isPlain" | "patienceMs">;

/** What this computer has seen before. */
export type Memory = KeyMemory & ClusterMemory;

export interface OpeningOptions {
  /** How long a server may take for its first reply, in ms. By default what `access` says. */
  readonly patienceMs?: number | undefined;
  /** Are keys that seal names and contents needed? "handy": they are used only if there are any. */
  readonly keys?: "needed" | "handy" | "none" | undefined;
  /** Another password by which servers may know the user, while it is being changed. */
  readonly nextPassword?: Password | undefined;
  readonly warn: (line: string) => void;
  /** Told what is no reason to warn. */
  readonly info?: (line: string) => void;
}

/** An open cluster, and what opens key records; null without a password. */
export type Opened = readonly [cluster: Cluster, opener: Opener | null];

/**
 * Connects to the servers, and logs in if there is a password. Throws DfsError("tooFew", "config",
 * "login").
 */
export async function connect(
  { servers, user, isPlain, patienceMs: usual }: Access,
  memory: Memory,
  password: Password | null,
  { patienceMs, nextPassword, keys, warn, info = () => {} }: OpeningOptions,
): Promise<Opened> {
  const ports = { clock: bunClock, random: bunRandom, net: bunNet };
  const opener = password && new Opener(password);
  // The key is mostly the same as last time: it is opened while the servers are being connected.
  const known = keys === "none" ? null : memory.keyOf(user);
  if (known) opener?.begin(known.record);
  const credentials = [password, nextPassword].flatMap((item) =>
    item ? [item.login.then((login) => credentialsOf(user, login))] : [],
  );
  for (const item of credentials) item.catch(() => {});
  const login = password && { credentials, offersScram: !hasSigned(memory, user) };
  const patience = patienceMs ?? usual ?? FIRST_REPLY_MS;
  const options = { user, login, isPlain, warn, memory, patienceMs: patience };
  const cluster = await openCluster(ports, servers, options);
  if (cluster.connections.isSigned) noteSigned(memory, user);
  if (password && !cluster.connections.isLoggedIn)
    info(`the servers know no users: nobody checks the password of ${user}`);
  return [cluster, opener];
}

/** The cluster with the user's keys, as far as they are wanted. Throws as `unlock`. */
export async function withKeys(
  [cluster, opener]: Opened,
  memory: Memory,
  keys: OpeningOptions["keys"],
): Promise<Cluster> {
  if (!opener || keys === "none") return cluster;
  // Loaded here, so that nobody without a password waits for the ciphers.
  const { unlock } = await import("../client/agree/unlock.ts");
  return await unlock(cluster, opener, memory, keys !== "handy");
}

/**
 * Must this user log in, since other machines are involved? Without a login, a man in the middle
 * could say that there are no users, and would get everything in the open.
 */
export const mustLogIn = ({ user, isPlain, servers }: Access): boolean =>
  user !== "" && !isPlain && servers.some(({ host }) => !isLoopback(host));
