/** dfs-tool serve: one server, on one folder and one port, until a signal ends it. */
import { existsSync } from "node:fs";
import { defineCommand } from "citty";
import { asDfsError, DfsError, exitStatus, isDfsError } from "../../errors.ts";
import { bunClock, bunNetWith, bunRandom } from "../../io/bun.ts";
import { bunDisk } from "../../io/bun_disk.ts";
import { descriptorsMax } from "../../io/descriptors.ts";
import type { Notify, Notice } from "../../io/ports.ts";
import {
  INLINE_BYTES,
  REPAIR_INTERVAL_SECONDS,
  SCRUB_IDLE_MS,
  TRASH_GRACE_MS,
} from "../../limits.ts";
import { writtenAddress } from "../../membership.ts";
import { serve, type ServeOptions, type Server } from "../../server/serve.ts";
import { trouble } from "../../store/catalog/findings.ts";
import { isLoopback } from "../../wire/handshake.ts";
import { accessFor } from "../../server/users/current_users.ts";
import { repairInBackground } from "../../server/process/background.ts";
import { certificateIn } from "../../server/process/certificate.ts";
import { loadConfiguration } from "../../api/config/config.ts";
import { type CommonFlags, commonFlags } from "../../terminal/flags.ts";
import { takeSignals } from "../../terminal/interrupt.ts";
import { closeCatalog, keepPrivate } from "../../server/process/private_folder.ts";
import { RELEASE } from "../../release.ts";
import { openServerLog, type ServerLog } from "../../server/process/server_log.ts";
import { SlowDisk } from "../../server/process/slow_disk.ts";
import { countBytes } from "../../server/process/tidy_memory.ts";

const PORT_MAX = 65_535;
/** The file of users that the course gives its servers; serve does not read it by itself. */
const USERS_NEARBY = "dfs.conf";
const SECONDS_MAX = 31_536_000;

export const serveCommand = defineCommand({
  meta: { description: "Serve a folder as one server of a cluster" },
  args: {
    dir: { type: "positional", required: true, description: "The folder; made if it is not there" },
    port: {
      type: "positional",
      required: true,
      description: "The port to listen on; 0 is any free one",
    },
    host: {
      type: "string",
      valueHint: "ADDRESS",
      default: "127.0.0.1",
      description: "The address to listen on",
    },
    users: {
      type: "string",
      valueHint: "FILE",
      description: "Who may use it (dfs-tool user); users.conf in the folder where that is there",
    },
    insecure: {
      type: "boolean",
      description: "Allow an address that others can reach without users, and speak no TLS there",
    },
    catalog: {
      type: "string",
      valueHint: "DIR2",
      description: "The folder for the catalog, as on a faster disk",
    },
    inline: {
      type: "string",
      valueHint: "BYTES",
      default: String(INLINE_BYTES),
      description: "Keep pieces up to this size in the catalog",
    },
    "trash-grace": {
      type: "string",
      valueHint: "SECONDS",
      default: String(TRASH_GRACE_MS / 1000),
      description: "Keep pieces that nobody needs any more so long for readers that have begun",
    },
    config: {
      type: "string",
      valueHint: "FILE",
      description: "The dfc.conf of this server's cluster: it then repairs it in the background",
    },
    "repair-interval": {
      type: "string",
      valueHint: "SECONDS",
      default: String(REPAIR_INTERVAL_SECONDS),
      description: "The time between two repairs, about; 0 is never",
    },
    quiet: { ...commonFlags.quiet, description: "Print errors and warnings only" },
    verbose: commonFlags.verbose,
    log: {
      type: "string",
      valueHint: "FORMAT",
      default: "text",
      description: "What it says, on stderr: text for people, or json for programs",
    },
  },
  async run({ args }) {
    keepPrivate();
    const log = openServerLog(args);
    try {
      return await serveWith(args, log);
    } catch (error) {
      if (args.log !== "json") throw error;
      log.fail(asDfsError(error));
      return exitStatus(asDfsError(error).code);
    } finally {
      await log.close();
    }
  },
});

interface Flags extends Protection, CommonFlags {
  readonly port: string;
  readonly inline: string;
  readonly "trash-grace": string;
  readonly "repair-interval": string;
}

async function serveWith(args: Flags, log: ServerLog): Promise<number> {
  const { access, certificate } = await protect(args, log.notify);
  const options: ServeOptions = {
    ...access,
    certificate,
    folder: args.dir,
    catalogFolder: args.catalog ?? args.dir,
    trashGraceMs: 1000 * numberIn(args["trash-grace"], "--trash-grace", SECONDS_MAX),
    inlineBytes: numberIn(args.inline, "--inline", INLINE_BYTES),
    scrubIdleMs: SCRUB_IDLE_MS,
    host: args.host,
    port: numberIn(args.port, "PORT", PORT_MAX),
    release: RELEASE,
    descriptors: descriptorsMax(),
    notify: log.notify,
  };
  const interval = numberIn(args["repair-interval"], "--repair-interval", SECONDS_MAX);
  const { config } = args;
  // A configuration that cannot be used is an error of the start.
  if (config !== undefined) loadConfiguration(config);
  return serveUntilEnd(options, log, () =>
    config !== undefined && interval > 0
      ? repairInBackground({ config, intervalSeconds: interval, notify: log.notify })
      : () => {},
  );
}

function numberIn(text: string, what: string, most: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value <= most) return value;
  throw new DfsError("usage", `${what} is a number from 0 to ${most}, not ${JSON.stringify(text)}`);
}

interface Protection {
  readonly dir: string;
  readonly catalog?: string | undefined;
  readonly host: string;
  readonly users?: string | undefined;
  readonly insecure?: boolean | undefined;
}

/**
 * Who may use the server, and its certificate for TLS. An address that other machines can reach
 * requires users and TLS, unless --insecure waives both.
 */
async function protect({ dir, catalog = dir, host, users, insecure }: Protection, notify: Notify) {
  const access = await accessFor(dir, users, (line) => notify(trouble("users", line)));
  const isOpen = (await access.users()) === null;
  if (isOpen && existsSync(USERS_NEARBY))
    notify(
      trouble(
        "users-not-used",
        `./${USERS_NEARBY} is not used, and everybody is let in: with --users ${USERS_NEARBY} only its users are`,
      ),
    );
  if (isLoopback(host)) return { access, certificate: null };
  if (insecure) {
    const harm = isOpen
      ? `whoever can reach ${host} reads and changes everything`
      : `who listens sees all that goes to and from ${host}, and no TLS keeps others out of it`;
    notify(trouble("insecure", `--insecure: ${harm}`));
    return { access, certificate: null };
  }
  if (isOpen)
    throw new DfsError(
      "usage",
      `${host} can be reached by others, who could read and change everything: add a user with dfs-tool user add ${dir} NAME, or use 127.0.0.1, or allow it with --insecure`,
    );
  await bunDisk.makeFolder(catalog);
  return { access, certificate: await certificateIn(catalog) };
}

/** Resolves to the exit status: 0 after a signal, once all requests are answered. */
async function serveUntilEnd(
  options: ServeOptions,
  { notify, fail }: ServerLog,
  alongside: () => () => void,
): Promise<number> {
  const slow = new SlowDisk(bunClock, notify);
  const net = bunNetWith(countBytes);
  const ports = { clock: bunClock, random: bunRandom, net, disk: slow.watch(bunDisk) };
  const end = Promise.withResolvers<number>();
  const die = (error: DfsError): void => {
    fail(error);
    end.resolve(exitStatus(error.code));
  };
  if (closeCatalog(options.catalogFolder))
    notify(
      trouble("catalog-open", "others could read its catalog; from now on only its owner can"),
    );
  // A signal during the start must wait until there is a server to stop.
  const signal = Promise.withResolvers<void>();
  takeSignals(() => signal.resolve());
  const starting = serve(ports, options, die).catch((error: unknown) => {
    throw withFolder(error, options.folder);
  });
  const server = await Promise.race([starting, end.promise]);
  if (typeof server === "number") return server;
  const warning = warningOf(server);
  if (warning !== null) notify(trouble("folder-copied", warning));
  notify(started(server, options.host));
  const stopRepairs = alongside();
  void signal.promise
    .then(stopRepairs)
    .then(() => server.stop())
    .then(() => end.resolve(0), end.reject);
  const status = await end.promise;
  stopRepairs();
  slow.stop();
  notify({ level: "verbose", event: "stopped", line: "stopped" });
  return status;
}

/** The notice that the server is ready. Programs wait for this line, and take the port from it. */
function started({ sid, port, origin }: Server, host: string): Notice {
  const address = writtenAddress({ host, port });
  const isNew = origin === "new" ? ", new" : "";
  return {
    level: "info",
    event: "started",
    line: `on ${address} (server id ${sid.slice(0, 8)}${isNew})`,
    facts: { address, id: sid, origin },
  };
}

/**
 * The same error with the folder in its message. If the folder is at the top of the disk, the user
 * may have meant one in the current folder.
 */
function withFolder(error: unknown, folder: string): unknown {
  if (!isDfsError(error)) return error;
  const isOfCatalog = error.message.startsWith("the catalog ");
  const text = isOfCatalog ? `${folder}: ${error.message}` : error.message;
  const isAtTop = /^\/[^/]+$/.test(folder) && text.endsWith("permission denied");
  return new DfsError(
    error.code,
    isAtTop ? `${text}; the one in the current folder is .${folder}` : text,
  );
}

/** A warning about a folder that is a copy; null for any other. */
function warningOf({ origin, was, sid }: Server): string | null {
  const id = sid.slice(0, 8);
  if (origin === "copy")
    return `this is a copy of the folder of server ${id}: it counts once an operator's command, as dfs-tool status, has met most of the other servers; where the original is still there, start only one of the two`;
  if (origin === "torn")
    return `this is a copy of the folder of server ${was?.slice(0, 8)}, made before that was stopped in order: it may lack what was promised since, and goes on as another server, ${id}; where the original is still there, stop this one, and start that`;
  return null;
}
