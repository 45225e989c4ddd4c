/** Clients of all kinds at work while something goes wrong; what they saw must be what one store would have shown. */
import type { ServerAddress } from "../../src/membership.ts";
import { type Mix, NOTHING, type Task } from "./client.ts";
import { now } from "./clock.ts";
import { Commands } from "./commands.ts";
import { contentOf, HEAD_BYTES, isSame } from "./contents.ts";
import { Crowd, tallyOf, timesOf } from "./crowd.ts";
import { checkHistories } from "./history.ts";
import type { Servers } from "./servers.ts";
import { Failure, type Stage } from "./stage.ts";

export interface StormOptions {
  readonly seconds: number;
  readonly writers: number;
  readonly readers: number;
  readonly deleters: number;
  /** Clients that do nothing but repair everything, orphans of any age included. */
  readonly repairers: number;
  readonly names: readonly string[];
  /** How long files are. */
  readonly bytes?: [least: number, most: number][];
  /** Where a client reaches the servers, if not at their own addresses. */
  readonly addressesOf?: (client: number) => ServerAddress[];
  /** Does harm until that time. */
  readonly harm: (until: number, crowd: Crowd) => Promise<void>;
  /** Ends all harm. */
  readonly heal: () => Promise<void>;
}

const MIXES: Record<string, Mix> = {
  writer: { ...NOTHING, put: 6, putNew: 2, cas: 2 },
  reader: { ...NOTHING, get: 30, list: 1 },
  deleter: { ...NOTHING, rm: 1 },
  repairer: { ...NOTHING, repair: 1 },
};
const PAUSES_MS: Record<string, number> = { writer: 20, reader: 10, deleter: 300, repairer: 1000 };
/** Pieces in the catalog, and pieces in files. */
const BYTES: [number, number][] = [
  [HEAD_BYTES, 5000],
  [HEAD_BYTES, 60_000],
  [70_000, 400_000],
  [1_100_000, 2_500_000],
];

/** Starts a client of a kind. */
export function startKind(
  crowd: Crowd,
  kind: string,
  names: readonly string[],
  until: number,
  more: Partial<Task> = {},
): void {
  const mix = MIXES[kind] ?? NOTHING;
  const pauseMs = PAUSES_MS[kind] ?? 0;
  crowd.start({ mix, pauseMs, names, bytes: BYTES, until, ...more });
}

/** Plays a storm to its end and checks everything; resolves to the figures. */
export async function storm(
  stage: Stage,
  servers: Servers,
  options: StormOptions,
): Promise<string> {
  const { seconds, names, harm, heal } = options;
  const commands = new Commands(servers);
  await servers.start();
  await commands.list();
  const crowd = new Crowd(stage, servers);
  const until = now() + seconds * 1000;
  const many = {
    writer: options.writers,
    reader: options.readers,
    deleter: options.deleters,
    repairer: options.repairers,
  };
  for (const [kind, count] of Object.entries(many))
    for (let i = 0; i < count; i++) {
      const addresses = options.addressesOf?.(crowd.next);
      const { bytes } = options;
      startKind(crowd, kind, names, until, {
        ...(addresses && { servers: addresses }),
        ...(bytes && { bytes }),
      });
    }
  await harm(until, crowd);
  await heal();
  await crowd.ended();
  // In calm weather all must be there; what is read now belongs to the histories too.
  readAll(crowd, names);
  await crowd.ended();
  checkHistories(crowd.deeds(), names);
  // A write that is still open may take effect at a repair; then nothing changes any more.
  await commands.repair();
  readAll(crowd, names);
  await crowd.ended();
  const files = lastRead(crowd, names);
  await commands.count(files);
  await servers.start();
  readAll(crowd, names);
  await crowd.ended();
  for (const [name, data] of lastRead(crowd, names))
    if (!isSame(data, files.get(name) ?? new Uint8Array()))
      throw new Failure(`${name} changed by itself after repair and a restart`);
  const deeds = crowd.deeds();
  checkHistories(deeds, names);
  const perSecond = Math.round(deeds.length / seconds);
  return `${deeds.length} operations, ${perSecond} a second: ${tallyOf(deeds)}; the middle and the longest: ${timesOf(deeds)}`;
}

/** Has a client read all names. */
export function readAll(crowd: Crowd, names: readonly string[]): void {
  const script = names.map((name) => ({ at: 0, order: { do: "get", name } as const }));
  crowd.start({ script, reuse: 0 });
}

/** What the last reads brought; each must have brought something. */
export function lastRead(crowd: Crowd, names: readonly string[]): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  const deeds = crowd.deeds();
  for (const { order, outcome, value, bytes, why } of deeds.slice(-names.length)) {
    if (order.do !== "get") throw new Error("the last that was done are reads");
    if (outcome === "done") files.set(order.name, contentOf(value ?? 0, bytes));
    else if (outcome !== "noSuchName")
      throw new Failure(`with all servers up, a get of ${order.name} ends with ${outcome}: ${why}`);
  }
  return files;
}
