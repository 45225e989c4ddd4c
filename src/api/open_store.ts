/**
 * Opens a store: from a dfc.conf or from a list of servers, with the user's password. Used by
 * gateways, mounts and programs of others (docs/api.md).
 */
import type { Cluster } from "../client/connect/cluster.ts";
import { orInterrupted } from "../client/connect/living/interruption.ts";
import { DfsError } from "../errors.ts";
import { layoutOf, PAIRS } from "../file/layout.ts";
import { passwordIn } from "../io/stretch.ts";
import { type ServerAddress, writtenAddress } from "../membership.ts";
import { type Configuration, loadConfiguration, serverOf } from "./config/config.ts";
import { checkPassword, passwordOf } from "./config/password.ts";
import { openForgetful, openSeen, type SeenFile } from "./config/seen.ts";
import { connect, mustLogIn, withKeys } from "./opening.ts";
import { Store } from "./store.ts";

export interface StoreOptions {
  /**
   * The path of a dfc.conf; by default the one that the commands find. What was seen of the store is
   * remembered beside it.
   */
  readonly config?: string | undefined;
  /** The servers, instead of a dfc.conf. Nothing is remembered then. */
  readonly servers?: readonly ServerAddress[] | undefined;
  /** The user, where there are `servers`. */
  readonly user?: string | undefined;
  /** Instead of what dfc.conf says of it. A function is called when the store is opened. */
  readonly password?: string | (() => string | Promise<string>) | undefined;
  /** Where there are `servers`: false for servers on other machines that have no TLS. */
  readonly tls?: boolean | undefined;
  /** The layout of new files, "pairs" or "rs:K+M". By default that of dfc.conf, or pairs. */
  readonly layout?: string | undefined;
  /** How long a server may take for its first reply, in milliseconds. */
  readonly patienceMs?: number | undefined;
  /** Given lines for a person, such as that a server is lost. */
  readonly warn?: ((line: string) => void) | undefined;
  /** Ends the opening once it is aborted. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens a store. Throws DfsError("config") for a configuration that cannot be, ("tooFew") where too
 * few servers answer, ("login") for a wrong user or password, and ("interrupted").
 */
export async function openStore(options: StoreOptions = {}): Promise<Store> {
  const { warn = () => {}, signal = null, servers } = options;
  const access = servers ? accessTo(servers, options) : loadConfiguration(options.config);
  const { placement } = access;
  const layout = options.layout === undefined ? access.layout : layoutOf(options.layout);
  const text = await passwordFor(access, options, warn);
  if (text === null && mustLogIn(access))
    throw new DfsError("login", `the password of ${access.user} is not given`);
  const password = text === null ? null : passwordIn(access.user, text);
  const memory = servers ? openForgetful() : openSeen(access.path, warn);
  const open = async (): Promise<Cluster> => {
    const { patienceMs } = options;
    const opened = await connect(access, memory, password, { patienceMs, warn });
    return await withKeys(opened, memory, "needed").catch((error: unknown) => {
      opened[0].close();
      throw error;
    });
  };
  const cluster = await orEnded(open(), memory, signal);
  return new Store(cluster, { layout, placement }, () => {
    cluster.close();
    memory.close();
  });
}

/** The cluster once it is open. Where that ends otherwise, nothing is left open. */
async function orEnded(
  opening: Promise<Cluster>,
  memory: SeenFile,
  signal: AbortSignal | null,
): Promise<Cluster> {
  try {
    return await orInterrupted(opening, signal);
  } catch (error) {
    // What was interrupted goes on until it is open.
    void opening
      .then((cluster) => cluster.close())
      .catch(() => {})
      .finally(() => memory.close());
    throw error;
  }
}

/** What a dfc.conf with these servers would say. */
function accessTo(
  servers: readonly ServerAddress[],
  { user = "", tls = true }: StoreOptions,
): Configuration {
  if (servers.length === 0) throw new DfsError("config", "no server is named");
  const checked = servers.map((server) => serverOf(server.name, writtenAddress(server)));
  return {
    path: "",
    isFound: false,
    servers: checked,
    user,
    password: null,
    isPlain: !tls,
    patienceMs: null,
    placement: "name",
    layout: PAIRS,
  };
}

/** The user's password; null where there is none. */
async function passwordFor(
  access: Configuration,
  { password, servers }: StoreOptions,
  warn: (line: string) => void,
): Promise<string | null> {
  if (password !== undefined) {
    if (access.user === "")
      throw new DfsError("config", "a password is nothing without a user; name the user");
    const text = typeof password === "string" ? password : await password();
    return checkPassword(text, "what was given");
  }
  return servers ? null : await passwordOf(access, warn);
}
