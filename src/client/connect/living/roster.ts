/**
 * Which connection leads to which server, by the id that the server says it has, and which servers
 * count. Used by connections.
 */
import type { Life } from "../../../life.ts";
import type { Exclusion } from "../../trust/lives.ts";
import type { Greeted } from "../greeter.ts";
import type { Peer } from "../peer.ts";

export class Roster {
  readonly #bySid = new Map<string, Peer>();
  /** Servers that do not count, and why. One that runs on a copy may count later. */
  readonly #excluded = new Map<string, Exclusion>();
  /** Servers that came late, and were not met yet. */
  readonly #unmet = new Set<string>();
  /** All servers that answered: those of dfc.conf in its order, then those the cluster led to. */
  readonly greeted: Greeted[] = [];
  /** The lives that each server must have had, as this client has met it or was told. */
  readonly livesMet = new Map<string, readonly Life[]>();
  /** How often a server began or ceased to count. */
  exclusionChanges = 0;
  /** Bytes over connections that were replaced. */
  readonly #replaced = { sent: 0, received: 0 };

  /** The newest connection to each server, broken ones too. */
  get peers(): Peer[] {
    return [...this.#bySid.values()];
  }

  /** The newest connection to the server with this id, even a broken one. */
  latest(sid: string): Peer | undefined {
    return this.#bySid.get(sid);
  }

  /** The connection to the server with this id, if there is one and the server counts. */
  ofSid(sid: string): Peer | null {
    return this.#excluded.has(sid) || this.#unmet.has(sid) ? null : this.connectedTo(sid);
  }

  /** The same, even of a server that does not count, or not yet: to meet it. */
  connectedTo(sid: string): Peer | null {
    const peer = this.#bySid.get(sid);
    return peer && !peer.isDown ? peer : null;
  }

  /** Is there no use in connecting to it anew? One that runs on a copy may count by now. */
  isUp(sid: string): boolean {
    return this.connectedTo(sid) !== null && this.#excluded.get(sid)?.is !== "copy";
  }

  /** Why a server that answers does not count. null: it counts, or it does not answer. */
  exclusionOf(sid: string): Exclusion | null {
    return this.#excluded.get(sid) ?? null;
  }

  /**
   * Notes why a server does not count; null: it counts. One that was put back never will again over
   * this connection.
   */
  setExclusion(sid: string, why: Exclusion | null): void {
    const before = this.#excluded.get(sid);
    if (before?.is === "putBack" || before?.is === why?.is) return;
    if (why) this.#excluded.set(sid, why);
    else this.#excluded.delete(sid);
    this.exclusionChanges++;
  }

  /** From now on this is the connection to a server. */
  setPeer(sid: string, peer: Peer): void {
    const before = this.#bySid.get(sid);
    if (before) {
      before.close();
      this.#replaced.sent += before.traffic.sent;
      this.#replaced.received += before.traffic.received;
    }
    this.#bySid.set(sid, peer);
  }

  /**
   * The same, of a server that came late. With `isUnmet` it is not asked before `noteMet`. Nothing
   * holds any more that was found of it over an earlier connection.
   */
  replace(greeted: Greeted, isUnmet: boolean): void {
    const { sid } = greeted.greeting;
    if (isUnmet) this.#unmet.add(sid);
    this.setPeer(sid, greeted.peer);
    const place = this.greeted.findIndex(({ greeting }) => greeting.sid === sid);
    this.greeted.splice(place < 0 ? this.greeted.length : place, 1, greeted);
    // A server that was put back may be itself again. It must then have had the life that showed
    // it.
    const why = this.#excluded.get(sid);
    if (why?.is !== "putBack") return;
    this.#excluded.delete(sid);
    this.livesMet.set(sid, [...(this.livesMet.get(sid) ?? []), why.claim]);
  }

  /** A server that came late was met. */
  noteMet(sid: string): void {
    this.#unmet.delete(sid);
  }

  /** Bytes on the wire so far, over all servers. */
  get traffic(): { sent: number; received: number } {
    const sum = { ...this.#replaced };
    for (const { traffic } of this.#bySid.values()) {
      sum.sent += traffic.sent;
      sum.received += traffic.received;
    }
    return sum;
  }
}
