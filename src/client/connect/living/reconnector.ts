/**
 * Servers that were lost, or never answered, are tried again when somebody uses the cluster and
 * their next try is due. Nothing ticks meanwhile. Used by connections.
 */
import type { Clock } from "../../../io/ports.ts";
import { RETRY_MAX_MS } from "../../../limits.ts";
import type { Seat, ServerAddress } from "../../../membership.ts";
import type { ConnectAttempt, Greeter } from "../greeter.ts";

/** What the connections of the client do for it. */
interface Door {
  /** Can this server be asked, or is it being met? */
  isUp(sid: string): boolean;
  /** When this server stopped answering over its last connection; -Infinity: it did not. */
  hungAt(sid: string): number;
  /** Where it may be. */
  addressesOf(seat: Seat): ServerAddress[];
  /** Takes up a server that came late. Resolves once it was met. */
  admitLate(server: ServerAddress, attempt: ConnectAttempt, wanted: string): Promise<void>;
}

export class Reconnector {
  readonly #clock: Pick<Clock, "now">;
  readonly #greeter: Greeter;
  readonly #door: Door;
  /** The tries that are under way, by the id of the server that they are to find. */
  readonly #underWay = new Map<string, Promise<void>>();

  constructor(clock: Pick<Clock, "now">, greeter: Greeter, door: Door) {
    this.#clock = clock;
    this.#greeter = greeter;
    this.#door = door;
  }

  /**
   * Begins to try those of these servers that are down, where it is time. `isNeeded`: nothing can
   * be done without them.
   */
  start(seats: readonly Seat[], isNeeded: boolean): void {
    for (const seat of seats) {
      const { sid } = seat;
      if (sid === null || this.#underWay.has(sid) || this.#door.isUp(sid)) continue;
      // It would most likely be met, and then hang whoever asks it.
      if (this.#clock.now() < this.#door.hungAt(sid) + RETRY_MAX_MS) continue;
      const due = this.#door
        .addressesOf(seat)
        .filter((server) => this.#greeter.isDue(server, isNeeded));
      if (due.length === 0) continue;
      const tries = Promise.all(due.map((server) => this.#try(server, sid)));
      const ended = tries.then(() => {}).finally(() => this.#underWay.delete(sid));
      this.#underWay.set(sid, ended);
      // Mostly nobody waits for it.
      ended.catch(() => {});
    }
  }

  /** Resolves when all tries have ended that are under way now. */
  async ended(): Promise<void> {
    await Promise.all(this.#underWay.values());
  }

  async #try(server: ServerAddress, sid: string): Promise<void> {
    const attempt = await this.#greeter.tryAgain(server);
    await this.#door.admitLate(server, attempt, sid);
    // Another server is there; or it does not count, as one that runs on a copy of its folder.
    if (attempt.greeted && !this.#door.isUp(sid)) this.#greeter.noteUseless(server);
  }
}
