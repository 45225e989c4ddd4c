/**
 * Who was tried, and what came of it: servers that answer, that refuse, and that are silent. A silent one costs as long as servers
 * have to answer, once; it is tried again only where nothing can be done without it. Used by Connections, which knows who they are.
 */
import { type DfsError, isDfsError } from "../../errors.ts";
import type { Clock } from "../../io/ports.ts";
import { FIRST_REPLY_MS, REACH_MS } from "../../limits.ts";
import type { ReplyOf } from "../../wire/messages.ts";
import { Peer, type PeerOptions, type ClientPorts } from "./peer.ts";
import type { ServerAddress } from "../../membership.ts";

/** A server that answered, and what it said of itself. */
export interface Greeted {
  readonly peer: Peer;
  readonly greeting: ReplyOf<"hello">;
}

/** What came of one try. Whoever was not there at all, or said no, is not `isSilent`. */
export type Attempt =
  | { readonly greeted: Greeted }
  | { readonly greeted: null; readonly error: DfsError; readonly isSilent: boolean };

/** Is told what came of a server. */
type Take = (server: ServerAddress, attempt: Attempt) => void | Promise<void>;

/** A timer may be a little early. */
const SILENT_SHARE = 0.9;

export class Greeter {
  readonly patienceMs: number;
  readonly #ports: ClientPorts;
  readonly #options: PeerOptions;
  /** Those that may yet answer, by address; and of these the tries that are under way. */
  readonly #silent = new Map<string, ServerAddress>();
  readonly #underWay = new Map<string, Promise<Attempt>>();
  /** Addresses that are not tried again: there they refuse, or were silent for too long. */
  readonly #down = new Set<string>();
  #isClosed = false;

  constructor(ports: ClientPorts, options: PeerOptions) {
    this.#ports = ports;
    this.#options = options;
    this.patienceMs = options.patienceMs ?? FIRST_REPLY_MS;
  }

  /** Is there anybody who may yet answer? */
  get isSomebodySilent(): boolean {
    return this.#silent.size > 0;
  }

  /** Was there a try at this address that came to nothing, or has not ended? */
  hasTried(server: ServerAddress): boolean {
    const address = addressText(server);
    return this.#down.has(address) || this.#silent.has(address);
  }

  /** One try, now. */
  async tryOnce(server: ServerAddress): Promise<Attempt> {
    const attempt = await this.#try(server, this.patienceMs);
    this.#note(server, attempt);
    return attempt;
  }

  /**
   * Tries all of these at once, and has `take` told of each. It ends when all have answered, or not; and a moment after it is
   * `isEnough`, however slow the others are: they count as silent then. Throws what `take` throws.
   */
  async trySeveral(
    servers: readonly ServerAddress[],
    isEnough: () => boolean,
    take: Take,
  ): Promise<void> {
    const waited = new Set(servers);
    const tries = servers.map(async (server) => {
      const attempt = await this.#try(server, this.patienceMs);
      if (!waited.delete(server)) return;
      this.#note(server, attempt);
      await take(server, attempt);
    });
    await untilEnough(this.#ports.clock, tries, isEnough, this.patienceMs);
    for (const server of waited) this.#silent.set(addressText(server), server);
    waited.clear();
  }

  /** Tries those again that are silent, for some seconds, and has `take` told of each in the end. Then nobody is silent: they are down. */
  async pursue(take: Take): Promise<void> {
    const until = this.#ports.clock.now() + REACH_MS;
    const pursueOne = async (address: string, server: ServerAddress): Promise<void> => {
      const attempt = await this.#insist(address, server, until);
      this.#silent.delete(address);
      if (!attempt.greeted) this.#down.add(address);
      await take(server, attempt);
    };
    await Promise.all([...this.#silent].map(([address, server]) => pursueOne(address, server)));
  }

  /** Ends what is under way. */
  close(): void {
    this.#isClosed = true;
    for (const attempt of this.#underWay.values())
      attempt.then(
        ({ greeted }) => greeted?.peer.close(),
        () => {},
      );
  }

  /** What comes of a silent server in the end: of its first try, if it has only been slow; else of whichever of several comes through. */
  async #insist(address: string, server: ServerAddress, until: number): Promise<Attempt> {
    const slow = await this.#underWay.get(address);
    this.#underWay.delete(address);
    if (slow && !slow.greeted?.peer.isDown) return slow;
    const { clock } = this.#ports;
    return new Promise((resolve, reject) => {
      let open = 0;
      let isOver = false;
      let cancel = (): void => {};
      const end = (attempt: Attempt): void => {
        isOver = true;
        cancel();
        resolve(attempt);
      };
      // What is lost on the way to one may come through to the next; each has all the time that there is.
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

  #note(server: ServerAddress, attempt: Attempt): void {
    const address = addressText(server);
    this.#silent.delete(address);
    this.#down.delete(address);
    if (attempt.greeted) return;
    if (attempt.isSilent) this.#silent.set(address, server);
    else this.#down.add(address);
  }

  #try(server: ServerAddress, patienceMs: number): Promise<Attempt> {
    const address = addressText(server);
    const attempt = this.#greet(server, patienceMs).finally(() => {
      // What nobody waited for stays until somebody does.
      if (!this.#silent.has(address)) this.#underWay.delete(address);
    });
    this.#underWay.set(address, attempt);
    return attempt;
  }

  async #greet(server: ServerAddress, patienceMs: number): Promise<Attempt> {
    const { clock } = this.#ports;
    let begun = clock.now();
    try {
      // How long it takes to stretch the password is this computer's matter, and no silence of the server.
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

/** Resolves when all of these have, or so long after it is enough; throws what one of them throws before that. */
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

/** An address to tell it from others; "localhost" is what it mostly is. For people it is written otherwise (membership). */
export const addressText = ({ host, port }: Pick<ServerAddress, "host" | "port">): string =>
  `${host.toLowerCase().replace(/^localhost$/, "127.0.0.1")}:${port}`;
