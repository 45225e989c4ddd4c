/**
 * Watches clients: does a server count for them that was put back to an earlier state? That is no fault where nobody who answers them knows
 * it, nor they themselves (docs/limits.md); so what goes wrong then is told apart from what must never be.
 */
import { decode } from "../../src/bytes.ts";
import { Cluster, type Round } from "../../src/client/connect/cluster.ts";
import { type Life, lifeCodec } from "../../src/life.ts";
import type { AddressedKind } from "../../src/wire/messages.ts";
import type { SimServer } from "./cluster.ts";
import { livesOf, sidOf } from "./installed.ts";

/** Those of the history that is running. */
let watching: Ignorance | null = null;

type Ask = (
  this: Cluster,
  kind: AddressedKind,
  ...rest: unknown[]
) => Promise<Round<AddressedKind>>;

const ask = Reflect.get(Cluster.prototype, "ask") as Ask;
const watched: Ask = async function watchedAsk(kind, ...rest) {
  const round = await ask.call(this, kind, ...rest);
  watching?.look(this, kind, round);
  return round;
};
Reflect.set(Cluster.prototype, "ask", watched);

/** By what a reply may decide which version is current. */
const DECISIVE: ReadonlySet<AddressedKind> = new Set(["read", "prepare", "accept", "list"]);

/** From now on this one watches. */
export function watch(by: Ignorance): void {
  watching = by;
}

export class Ignorance {
  readonly #servers: readonly SimServer[];
  /** Replies that counted of servers that were put back, and those among them of which somebody knew. */
  counted = 0;
  knew = 0;

  constructor(servers: readonly SimServer[]) {
    this.#servers = servers;
  }

  look(cluster: Cluster, kind: AddressedKind, { replies, view }: Round<AddressedKind>): void {
    if (!DECISIVE.has(kind)) return;
    for (const slot of replies.keys()) {
      const sid = view.config.seats[slot]?.sid ?? "";
      const server = this.#servers.find((one) => one.isPutBack && sidOf(one) === sid);
      const now = cluster.peer(slot)?.standing?.now.mark;
      const own = server && new Set(livesOf(server));
      // What a life of before said is whole.
      if (!own || now === undefined || !own.has(now)) continue;
      this.counted++;
      if (claimsOn(cluster, sid).some(({ mark }) => !own.has(mark))) this.knew++;
    }
  }
}

/** What those who answer a client, and its memory, know of the lives of a server. */
function claimsOn(cluster: Cluster, sid: string): Life[] {
  const memory = cluster.connections.memory?.factOf(`life ${sid}`);
  const known = cluster.live.flatMap((slot) => cluster.peer(slot)?.standing?.known ?? []);
  return [
    ...known.filter((one) => one.sid === sid),
    ...(memory ? [decode(lifeCodec, memory)] : []),
  ];
}
