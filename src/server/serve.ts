/** A server: its folder, its port, its connections. */
import { asDfsError, DfsError, isDfsError } from "../errors.ts";
import type { Caller, Certificate, Clock, Conn, Disk, Net, Random, Tell } from "../io/ports.ts";
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
import { tellingOfOpen } from "./answers/open_files.ts";
import { type Member, Places } from "./bounds/places.ts";
import type { Verifier } from "../wire/login.ts";
import { Session } from "./session.ts";
import { passwordChanged, scrubbed } from "./access/tidings.ts";
import { Turns } from "./bounds/turns.ts";
import { UploadShares } from "./bounds/upload_shares.ts";
import { Load } from "./bounds/weight.ts";

export interface ServerPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly net: Net;
  readonly disk: Disk;
}

export interface ServeOptions extends StoreOptions {
  /** How long it waits, having nothing to read back, before it looks again. */
  readonly scrubIdleMs: number;
  readonly host: string;
  readonly port: number;
  readonly release: string;
  /** Who may log in, at this moment; null: there are no users, and everybody may do everything. */
  readonly users: () => Promise<UserTable | null>;
  /** Writes down what to check the password of a user with, durably. */
  readonly changeVerifier: (user: string, verifier: Verifier) => Promise<void>;
  /** Shown by a server that speaks TLS; null: it does not. */
  readonly certificate: Certificate | null;
  /** How many files and connections the process may have open. */
  readonly descriptors: number;
  /** Takes what is for who runs it, and makes little of what comes again and again. */
  readonly tell: Tell;
}

export interface Server {
  readonly sid: string;
  /** What its folder turned out to be, and the id that it had before, where it is another server's now. */
  readonly origin: Origin;
  readonly was: string | null;
  readonly port: number;
  /** Answers what was asked, then ends; within about a second. */
  stop(): Promise<void>;
}

/**
 * Opens the folder and serves it until stopped. `die` is called when the disk fails so that nothing may be answered
 * any more: the process must end. Throws DfsError("folder") with a line for the user.
 */
export async function serve(
  ports: ServerPorts,
  options: ServeOptions,
  die: (error: DfsError) => void,
): Promise<Server> {
  const { clock } = ports;
  const store = await Store.open(ports, options, die);
  const sessions = new Map<Conn, Session>();
  const load = new Load();
  const turns = new Turns(clock);
  const doorkeeper = new Doorkeeper(ports);
  const { tell } = options;
  const changeVerifier: ServeOptions["changeVerifier"] = async (user, verifier) => {
    await options.changeVerifier(user, verifier);
    tell(passwordChanged(user));
  };
  const users = tellingOfOpen(store, options.users, tell);
  const half = Math.max(PLACES_MIN, Math.floor((options.descriptors - DESCRIPTORS_KEPT) / 2));
  const places = new Places(Math.min(CONNECTIONS_MAX, half));
  const shares = new UploadShares(clock, Math.min(UPLOADS_MAX, half));
  const by = { clock, die, tell };
  let stopWatching: (() => void) | null = null;
  /** Ends the sessions of who is no user any more, while there are sessions. */
  const watchUsers = (): void => {
    stopWatching ??= repeat(by, USERS_LOOK_MS, async () => {
      const table = await users();
      for (const session of sessions.values()) if (!session.isOf(table)) session.close();
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
      places,
      turns,
      shares,
      doorkeeper,
    });
    sessions.set(conn, session);
    places.enter(session);
    watchUsers();
    void session.run().then(() => {
      sessions.delete(conn);
      places.leave(session);
    });
  };
  const knock = ({ peer, close }: Caller): (() => void) => {
    const quietSince = clock.now();
    const caller: Member = { host: hostOf(peer), quietSince, isWorking: false, close };
    places.enter(caller);
    return () => places.leave(caller);
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
  const stopSweeping = repeat(by, sweepMs, async () => {
    await store.sweep();
    await store.pieces.ballast.load();
    return sweepMs;
  });
  let before = 0;
  let putOff = 0;
  let wasReading = false;
  const stopScrubbing = repeat(by, options.scrubIdleMs, async () => {
    const isBusy = load.total - before > SCRUB_BUSY_BYTES;
    before = load.total;
    // Clients come first, and do not wait for this for ever.
    putOff = isBusy && putOff < SCRUB_PUT_OFF_MAX ? putOff + 1 : 0;
    if (putOff > 0) return SCRUB_PAUSE_MS;
    const isMore = await store.scrub.run(SCRUB_LOT_BYTES, SCRUB_INTERVAL_MS);
    if (wasReading && !isMore) tell(scrubbed(await store.scrub.health()));
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

interface By {
  readonly clock: Clock;
  readonly die: (error: DfsError) => void;
  readonly tell: Tell;
}

/**
 * Does work again and again, first after `ms`, then after what it says. What went wrong only puts it off, and is said once, but for a full
 * disk, which others say; a sync that failed has ended the server by itself. Returns what ends it.
 */
function repeat({ clock, die, tell }: By, ms: number, work: () => Promise<number>): () => void {
  let stop = (): void => {};
  let isOver = false;
  let said = "";
  const failed = (error: unknown): void => {
    // Else it is a bug, or a catalog that cannot be read.
    if (!isDfsError(error) && !isCantOpen(error)) return die(asDfsError(error));
    const { message } = asDfsError(error);
    if (!isDfsError(error, "noRoom") && message !== said) tell(trouble("trouble", message));
    said = message;
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
