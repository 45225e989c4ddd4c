/**
 * Which addresses were tried, and what came of it: servers answer, refuse, or are silent. Used by
 * connections, which knows which server is at which address.
 *
 * A silent server costs the time that servers have to answer, once. It is tried again at once only
 * where nothing can be done without it. All that are down are tried again now and then by a client
 * that lives on (living/reconnector.ts).
 */
import { type DfsError, isDfsError } from "../../errors.ts";
import type { Clock } from "../../io/ports.ts";
import { FIRST_REPLY_MS, REACH_MS } from "../../limits.ts";
import type { ReplyOf } from "../../wire/messages.ts";
import { afterTry, isDue, type LastTry, type TryOutcome } from "./living/next_try.ts";
import { Peer, type PeerOptions, type ClientPorts } from "./peer.ts";
import type { ServerAddress } from "../../membership.ts";

/** A server that answered, and what it said of itself. */
export interface Greeted {
  readonly peer: Peer;
  readonly greeting: ReplyOf<"hello">;
}

/**
 * What came of one try. `isSilent`: it did not answer in time. A server that was not there at all,
 * or said no, is not silent.
 */
export type ConnectAttempt =
  | { readonly greeted: Greeted }
  | { readonly greeted: null; readonly error: DfsError; readonly isSilent: boolean };

/** Called with what came of a try. */
type OnAttempt = (server: ServerAddress, attempt: ConnectAttempt) => void | Promise<void>;

/**
 * The share of its time that a server must have taken to count as silent: a timer may be a little
 * early.
 */
const SILENT_SHARE = 0.9;

export class Greeter {
  readonly patienceMs: number;
  readonly #ports: ClientPorts;
  readonly #options: PeerOptions;
  /** Servers that may still answer, by address; and the tries that are under way. */
  readonly #silent = new Map<string, ServerAddress>();
  readonly #underWay = new Map<string, Promise<ConnectAttempt>>();
  /** What came of the last try of each address. */
  readonly #lastTries = new Map<string, LastTry>();
  #isClosed = false;

  constructor(ports: ClientPorts, options: PeerOptions) {
    this.#ports = ports;
    this.#options = options;
    this.patienceMs = options.patienceMs ?? FIRST_REPLY_MS;
  }

  /** Is there a silent server that may still answer? */
  get isSomebodySilent(): boolean {
    return this.#silent.size > 0;
  }

  /** Was this address tried, without an answer so far? */
  hasTried(server: ServerAddress): boolean {
    const address = addressText(server);
    return this.#silent.has(address) || (this.#lastTries.get(address)?.failures ?? 0) > 0;
  }

  /** May this address be tried again by now? */
  isDue(server: ServerAddress, isNeeded: boolean): boolean {
    const last = this.#lastTries.get(addressText(server));
    return isDue(last, this.#ports.clock.now(), isNeeded);
  }

  /** Forgets all addresses but these. */
  forgetOthers(servers: readonly ServerAddress[]): void {
    const wanted = new Set(servers.map(addressText));
    for (const known of [this.#silent, this.#underWay, this.#lastTries])
      for (const address of known.keys()) if (!wanted.has(address)) known.delete(address);
  }

  /** Tries a server once, now. */
  async tryOnce(server: ServerAddress): Promise<ConnectAttempt> {
    const attempt = await this.#try(server, this.patienceMs);
    this.#note(server, attempt);
    return attempt;
  }

  /** Tries a server again, once; if its first try was only slow, that one counts. */
  async tryAgain(server: ServerAddress): Promise<ConnectAttempt> {
    const until = this.#ports.clock.now() + this.patienceMs;
    const attempt = await this.#retry(addressText(server), server, until);
    this.#note(server, attempt);
    return attempt;
  }

  /** The server that answers at this address is of no use: it counts as one that refuses. */
  noteUseless(server: ServerAddress): void {
    this.#noteTry(addressText(server), "refused");
  }

  /**
   * Tries all of these at once, and calls `onAttempt` for each. It ends when all tries have ended.
   * It also ends a moment after `isEnough()`, however slow the others are: those count as silent
   * then. Throws what `onAttempt` throws.
   */
  async trySeveral(
    servers: readonly ServerAddress[],
    isEnough: () => boolean,
    onAttempt: OnAttempt,
  ): Promise<void> {
    const waited = new Set(servers);
    const tries = servers.map(async (server) => {
      const attempt = await this.#try(server, this.patienceMs);
      if (!waited.delete(server)) return;
      this.#note(server, attempt);
      await onAttempt(server, attempt);
    });
    await untilEnough(this.#ports.clock, tries, isEnough, this.patienceMs);
    for (const server of waited) this.#noteSilent(server);
    waited.clear();
  }

  /**
   * Tries silent servers again, for some seconds, and calls `onAttempt` for each in the end. After
   * that no server is silent: those that did not answer are down.
   */
  async retrySilent(onAttempt: OnAttempt): Promise<void> {
    const until = this.#ports.clock.now() + REACH_MS;
    const retryOne = async (address: string, server: ServerAddress): Promise<void> => {
      const attempt = await this.#retry(address, server, until);
      this.#note(server, attempt);
      this.#silent.delete(address);
      await onAttempt(server, attempt);
    };
    await Promise.all([...this.#silent].map(([address, server]) => retryOne(address, server)));
  }

  /** Ends the tries that are under way. */
  close(): void {
    this.#isClosed = true;
    for (const attempt of this.#underWay.values())
      attempt.then(
        ({ greeted }) => greeted?.peer.close(),
        () => {},
      );
  }

  /**
   * What comes of a silent server in the end. If its first try was only slow, that one counts. Else
   * several tries are made, and the first that comes through counts.
   */
  async #retry(address: string, server: ServerAddress, until: number): Promise<ConnectAttempt> {
    const first = this.#underWay.get(address);
    this.#underWay.delete(address);
    const slow = await first;
    if (slow && !slow.greeted?.peer.isDown) return slow;
    const { clock } = this.#ports;
    return new Promise((resolve, reject) => {
      let open = 0;
      let isOver = false;
      let cancel = (): void => {};
      const end = (attempt: ConnectAttempt): void => {
        isOver = true;
        cancel();
        resolve(attempt);
      };
      // A packet of one try may be lost where that of the next is not. Each try may take all the
      // time that is left.
      const start = (): void => {
        const left = until - clock.now();
        const isLast = left <= this.patienceMs || this.#isClosed;
        if (!isLast) cancel = clock.after(this.patienceMs, start);
        open++;
        this.#greet(server, Math.max(1, left)).then((attempt) => {
          open--;
          if (isOver) attempt.greeted?.peer.close();
          else if (attempt.greeted || !attempt.isSilent || open === 0) end(attempt);
        }, reject);
      };
      start();
    });
  }

  #note(server: ServerAddress, attempt: ConnectAttempt): void {
    if (!attempt.greeted && attempt.isSilent) return this.#noteSilent(server);
    const address = addressText(server);
    this.#silent.delete(address);
    this.#noteTry(address, attempt.greeted ? "up" : "refused");
  }

  #noteSilent(server: ServerAddress): void {
    const address = addressText(server);
    this.#silent.set(address, server);
    this.#noteTry(address, "silent");
  }

  #noteTry(address: string, is: TryOutcome): void {
    const { clock, random } = this.#ports;
    const before = this.#lastTries.get(address);
    this.#lastTries.set(address, afterTry(before, is, clock.now(), random.fraction()));
  }

  #try(server: ServerAddress, patienceMs: number): Promise<ConnectAttempt> {
    const address = addressText(server);
    const attempt = this.#greet(server, patienceMs).finally(() => {
      // A try that nobody waited for stays until somebody asks for it.
      if (!this.#silent.has(address)) this.#underWay.delete(address);
    });
    this.#underWay.set(address, attempt);
    return attempt;
  }

  async #greet(server: ServerAddress, patienceMs: number): Promise<ConnectAttempt> {
    const { clock } = this.#ports;
    let begun = clock.now();
    try {
      // How long this computer takes to stretch the password is no silence of the server.
      await Promise.all(this.#options.login?.credentials ?? []);
      begun = clock.now();
      const greeted = await Peer.connect(this.#ports, server, { ...this.#options, patienceMs });
      if (this.#isClosed) greeted.peer.close();
      return { greeted };
    } catch (error) {
      if (!isDfsError(error)) throw error;
      const isLate = clock.now() - begun >= SILENT_SHARE * patienceMs;
      return { greeted: null, error, isSilent: isLate && error.code === "down" };
    }
  }
}

/**
 * Resolves when all tasks have, or `graceMs` after `isEnough()`. Throws what a task throws before
 * that.
 */
function untilEnough(
  clock: Clock,
  tasks: readonly Promise<void>[],
  isEnough: () => boolean,
  graceMs: number,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let open = tasks.length;
    let cancel: (() => void) | null = null;
    const end = (): void => {
      cancel?.();
      resolve();
    };
    const settle = (): void => {
      open--;
      if (open === 0) end();
      else if (!cancel && isEnough()) cancel = clock.after(graceMs, end);
    };
    if (open === 0) resolve();
    for (const task of tasks) task.then(settle, reject);
  });
}

/**
 * An address as a key. "localhost" counts as 127.0.0.1, which it mostly is. For people an address
 * is written otherwise (src/membership.ts).
 */
export const addressText = ({ host, port }: Pick<ServerAddress, "host" | "port">): string =>
  `${host.toLowerCase().replace(/^localhost$/, "127.0.0.1")}:${port}`;
