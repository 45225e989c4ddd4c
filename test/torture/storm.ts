/** Clients of all kinds at work while something goes wrong; what they saw must be what one store would have shown. */
import type { ServerAddress } from "../../src/client/peer.ts";
import { type Mix, NOTHING } from "./client.ts";
import { now } from "./clock.ts";
import { Commands } from "./commands.ts";
import { contentOf, HEAD_BYTES, valueOf } from "./contents.ts";
import { Crowd, type Deed, tallyOf } from "./crowd.ts";
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
];

/** Starts a client of a kind. */
export function startKind(
  crowd: Crowd,
  kind: string,
  names: readonly string[],
  until: number,
  servers?: ServerAddress[],
): void {
  const mix = MIXES[kind] ?? NOTHING;
  const pauseMs = PAUSES_MS[kind] ?? 0;
  crowd.start({ mix, pauseMs, names, bytes: BYTES, until, ...(servers && { servers }) });
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
      startKind(crowd, kind, names, until, addresses);
    }
  await harm(until, crowd);
  await heal();
  await crowd.ended();
  // In calm weather all must be there; what is read now belongs to the histories too.
  crowd.start({ script: names.map((name) => ({ at: 0, order: { do: "get", name } })), reuse: 0 });
  await crowd.ended();
  const deeds = crowd.deeds();
  for (const deed of deeds.slice(-names.length)) mustRead(deed);
  checkHistories(deeds, names);
  await checkCalm(stage, servers, commands, names);
  const perSecond = Math.round(deeds.length / seconds);
  return `${deeds.length} operations, ${perSecond} a second: ${tallyOf(deeds)}`;
}

function mustRead({ order, outcome, why }: Deed): void {
  if (outcome !== "done" && outcome !== "noSuchName")
    throw new Failure(
      `with all servers up, a get of ${"name" in order && order.name} ends with ${outcome}: ${why}`,
    );
}

/** After repair nothing is left but the current files, and they are what they were before it. */
async function checkCalm(
  stage: Stage,
  servers: Servers,
  commands: Commands,
  names: readonly string[],
) {
  const before = await readAll(commands, names);
  await commands.repair();
  const after = await readAll(commands, names);
  for (const name of names) {
    const [one, other] = [before.get(name), after.get(name)].map((data) => data && valueOf(data));
    // A write that is still open may take effect at a repair, and never later.
    if (one !== other) stage.note(`repair turned ${name} from ${one} to ${other}`);
  }
  await commands.count(after);
  await servers.start();
  const again = await readAll(commands, names);
  for (const name of names)
    if (
      again.get(name) &&
      valueOf(again.get(name) as Uint8Array) !== valueOf(after.get(name) ?? contentOf(0, 0))
    )
      throw new Failure(`${name} changed by itself after repair and a restart`);
}

async function readAll(
  commands: Commands,
  names: readonly string[],
): Promise<Map<string, Uint8Array>> {
  const found = new Map<string, Uint8Array>();
  for (const name of names) {
    const { status, data, out, err } = await commands.get(name);
    if (data) found.set(name, data);
    else if (status !== 4) throw new Failure(`get ${name} ends with ${status}: ${out}${err}`);
    if (data && valueOf(data) === null)
      throw new Failure(`get ${name} brings bytes that nobody put`);
  }
  return found;
}
