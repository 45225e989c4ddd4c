/**
 * Runs a server: its folder, its port, its connections, and its work in the background. Used by the
 * command `serve`.
 */
import { asDfsError, DfsError, isDfsError } from "../errors.ts";
import type { Caller, Certificate, Clock, Conn, Disk, Net, Random, Notify } from "../io/ports.ts";
import {
  CONNECTIONS_MAX,
  DESCRIPTORS_KEPT,
  PLACES_MIN,
  SCRUB_INTERVAL_MS,
  SCRUB_LOT_BYTES,
  SCRUB_BUSY_BYTES,
  SCRUB_PAUSE_MS,
  SCRUB_PUT_OFF_MAX,
  STOP_GRACE_MS,
  SWEEPS_PER_GRACE,
  TRASH_SWEEP_MIN_MS,
  TRASH_SWEEP_MS,
  UPLOADS_MAX,
  USERS_LOOK_MS,
} from "../limits.ts";
import { trouble } from "../store/catalog/findings.ts";
import type { Origin } from "../store/identity.ts";
import { isCantOpen } from "../store/catalog/group_commit.ts";
import { Store, type StoreOptions } from "../store/store.ts";
import { Doorkeeper } from "./access/doorkeeper.ts";
import { hostOf } from "./access/host.ts";
import type { UserTable } from "./access/login.ts";
import { reportingOpenFiles } from "./answers/open_files.ts";
import { type Connection, ConnectionLimit } from "./bounds/connection_limit.ts";
import type { Verifier } from "../wire/login.ts";
import { Session } from "./session.ts";
import { passwordChanged, scrubbed } from "./access/notices.ts";
import { Turns } from "./bounds/turns.ts";
import { UploadShares } from "./bounds/upload_shares.ts";
import { ServerLoad } from "./bounds/load.ts";

export interface ServerPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly net: Net;
  readonly disk: Disk;
}

export interface ServeOptions extends StoreOptions {
  /** How long the scrub waits before it looks again, if it has nothing to read back. */
  readonly scrubIdleMs: number;
  readonly host: string;
  readonly port: number;
  readonly release: string;
  /** The users of this moment; null if there are no users, so that everybody may do everything. */
  readonly users: () => Promise<UserTable | null>;
  /** Replaces a user's verifier, durably. */
  readonly changeVerifier: (user: string, verifier: Verifier) => Promise<void>;
  /** The certificate of a server that speaks TLS; null if it does not. */
  readonly certificate: Certificate | null;
  /** How many files and connections the process may have open. */
  readonly descriptors: number;
  /** Takes notices for the operator, and shortens what comes again and again. */
  readonly notify: Notify;
}

export interface Server {
  readonly sid: string;
  /** What kind of folder was found; and the id that it had before, if it has a new one. */
  readonly origin: Origin;
  readonly was: string | null;
  readonly port: number;
  /** Answers the requests under way, then ends; within about a second. */
  stop(): Promise<void>;
}

/**
 * Opens the folder and serves it until stopped. `die` is called after an error that forbids any
 * further answer: the process must end. Throws DfsError("folder") with a line for the user.
 */
export async function serve(
  ports: ServerPorts,
  options: ServeOptions,
  die: (error: DfsError) => void,
): Promise<Server> {
  const { clock } = ports;
  const store = await Store.open(ports, options, die);
  const sessions = new Map<Conn, Session>();
  const load = new ServerLoad();
  const turns = new Turns(clock);
  const doorkeeper = new Doorkeeper(ports);
  const { notify } = options;
  const changeVerifier: ServeOptions["changeVerifier"] = async (user, verifier) => {
    await options.changeVerifier(user, verifier);
    notify(passwordChanged(user));
  };
  const users = reportingOpenFiles(store, options.users, notify);
  const half = Math.max(PLACES_MIN, Math.floor((options.descriptors - DESCRIPTORS_KEPT) / 2));
  const connections = new ConnectionLimit(Math.min(CONNECTIONS_MAX, half));
  const shares = new UploadShares(clock, Math.min(UPLOADS_MAX, half));
  const repeatPorts = { clock, die, notify };
  let stopWatching: (() => void) | null = null;
  /** Ends the sessions of users who are removed, while there are sessions. */
  const watchUsers = (): void => {
    stopWatching ??= repeat(repeatPorts, USERS_LOOK_MS, async () => {
      const table = await users();
      for (const session of sessions.values()) if (!session.isAllowedBy(table)) session.close();
      if (sessions.size === 0) {
        stopWatching?.();
        stopWatching = null;
      }
      return USERS_LOOK_MS;
    });
  };
  const accept = (conn: Conn): void => {
    const session = new Session(conn, {
      ...options,
      users,
      changeVerifier,
      store,
      clock,
      load,
      connections,
      turns,
      shares,
      doorkeeper,
    });
    sessions.set(conn, session);
    connections.enter(session);
    watchUsers();
    void session.run().then(() => {
      sessions.delete(conn);
      connections.leave(session);
    });
  };
  const knock = ({ peer, close }: Caller): (() => void) => {
    const quietSince = clock.now();
    const caller: Connection = { host: hostOf(peer), quietSince, isWorking: false, close };
    connections.enter(caller);
    return () => connections.leave(caller);
  };
  const listener = await users()
    .then(() => ports.net.listen(options.host, options.port, accept, options.certificate, knock))
    .catch((error: unknown) => {
      store.close();
      throw error;
    });

  const sweepMs = Math.max(
    TRASH_SWEEP_MIN_MS,
    Math.min(TRASH_SWEEP_MS, options.trashGraceMs / SWEEPS_PER_GRACE),
  );
  const stopSweeping = repeat(repeatPorts, sweepMs, async () => {
    await store.sweep();
    await store.pieces.ballast.load();
    return sweepMs;
  });
  let before = 0;
  let putOff = 0;
  let wasReading = false;
  const stopScrubbing = repeat(repeatPorts, options.scrubIdleMs, async () => {
    const isBusy = load.total - before > SCRUB_BUSY_BYTES;
    before = load.total;
    // Clients come first, but the scrub does not wait for them for ever.
    putOff = isBusy && putOff < SCRUB_PUT_OFF_MAX ? putOff + 1 : 0;
    if (putOff > 0) return SCRUB_PAUSE_MS;
    const isMore = await store.scrub.run(SCRUB_LOT_BYTES, SCRUB_INTERVAL_MS);
    if (wasReading && !isMore) notify(scrubbed(await store.scrub.health()));
    wasReading = isMore;
    return isMore ? SCRUB_PAUSE_MS : options.scrubIdleMs;
  });

  return {
    sid: store.sid,
    origin: store.origin,
    was: store.was,
    port: listener.port,
    async stop() {
      stopSweeping();
      stopWatching?.();
      stopScrubbing();
      listener.close();
      const until = clock.now() + STOP_GRACE_MS;
      const isWorking = (): boolean => [...sessions.values()].some((session) => session.isWorking);
      while (isWorking() && clock.now() < until)
        await new Promise<void>((resolve) => void clock.after(5, resolve));
      for (const conn of sessions.keys()) conn.close();
      store.close();
    },
  };
}

interface RepeatPorts {
  readonly clock: Clock;
  readonly die: (error: DfsError) => void;
  readonly notify: Notify;
}

/**
 * Does work again and again: first after `ms`, then after the time that the work returns. An error
 * only delays it, and is told once; a full disk is not told here, for others tell it. A failed sync
 * has already ended the server. Returns the function that ends it.
 */
function repeat(
  { clock, die, notify }: RepeatPorts,
  ms: number,
  work: () => Promise<number>,
): () => void {
  let stop = (): void => {};
  let isOver = false;
  let lastMessage = "";
  const failed = (error: unknown): void => {
    // Other errors are bugs, or a catalog that cannot be read.
    if (!isDfsError(error) && !isCantOpen(error)) return die(asDfsError(error));
    const { message } = asDfsError(error);
    if (!isDfsError(error, "noRoom") && message !== lastMessage)
      notify(trouble("trouble", message));
    lastMessage = message;
    later(ms);
  };
  const later = (after: number): void => {
    if (isOver) return;
    stop = clock.after(after, () => {
      work().then(later, failed);
    });
  };
  later(ms);
  return () => {
    isOver = true;
    stop();
  };
}
