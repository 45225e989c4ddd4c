/** A server: its folder, its port, its connections. */
import { asDfsError, DfsError, isDfsError } from "../errors.ts";
import type { Certificate, Clock, Conn, Disk, Net, Random } from "../io/ports.ts";
import {
  CONNECTIONS_MAX,
  SCRUB_INTERVAL_MS,
  SCRUB_LOT_BYTES,
  SCRUB_BUSY_BYTES,
  SCRUB_PAUSE_MS,
  SCRUB_PUT_OFF_MAX,
  STOP_GRACE_MS,
  SWEEPS_PER_GRACE,
  TRASH_SWEEP_MIN_MS,
  TRASH_SWEEP_MS,
} from "../limits.ts";
import { Store, type StoreOptions } from "../store/store.ts";
import { Doorkeeper, type UserTable } from "./login.ts";
import type { Verifier } from "../wire/login.ts";
import { type Load, Session } from "./session.ts";

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
}

export interface Server {
  readonly sid: string;
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
  const load: Load = { bytes: 0, total: 0 };
  const doorkeeper = new Doorkeeper(ports);
  const accept = (conn: Conn): void => {
    if (sessions.size >= CONNECTIONS_MAX) return conn.close();
    const session = new Session(conn, { ...options, store, clock, load, doorkeeper });
    sessions.set(conn, session);
    void session.run().then(() => sessions.delete(conn));
  };
  const listener = await ports.net
    .listen(options.host, options.port, accept, options.certificate)
    .catch((error: unknown) => {
      store.close();
      throw error;
    });

  const sweepMs = Math.max(
    TRASH_SWEEP_MIN_MS,
    Math.min(TRASH_SWEEP_MS, options.trashGraceMs / SWEEPS_PER_GRACE),
  );
  const stopSweeping = repeat(clock, sweepMs, die, async () => {
    await store.sweep();
    await store.pieces.ballast.load();
    return sweepMs;
  });
  let before = 0;
  let putOff = 0;
  const stopScrubbing = repeat(clock, options.scrubIdleMs, die, async () => {
    const isBusy = load.total - before > SCRUB_BUSY_BYTES;
    before = load.total;
    // Clients come first, and do not wait for this for ever.
    putOff = isBusy && putOff < SCRUB_PUT_OFF_MAX ? putOff + 1 : 0;
    if (putOff > 0) return SCRUB_PAUSE_MS;
    const isMore = await store.scrub.run(SCRUB_LOT_BYTES, SCRUB_INTERVAL_MS);
    return isMore ? SCRUB_PAUSE_MS : options.scrubIdleMs;
  });

  return {
    sid: store.sid,
    port: listener.port,
    async stop() {
      stopSweeping();
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

/** Does work again and again, first after `ms`, then after what it says; a full disk only puts it off. Returns what ends it. */
function repeat(
  clock: Clock,
  ms: number,
  die: (error: DfsError) => void,
  work: () => Promise<number>,
): () => void {
  let stop = (): void => {};
  let isOver = false;
  const later = (after: number): void => {
    if (isOver) return;
    stop = clock.after(after, () => {
      work().then(later, (error: unknown) => {
        if (isDfsError(error, "noRoom")) later(ms);
        else die(asDfsError(error));
      });
    });
  };
  later(ms);
  return () => {
    isOver = true;
    stop();
  };
}
