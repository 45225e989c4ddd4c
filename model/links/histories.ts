/**
 * One random history of the model of content by reference, and what is wrong with it: several names, all operations, then quiescence: repair,
 * time passes, what is kept for ever is expunged, and nothing but current pieces at home may be left. Used by checks.ts.
 */
import { Chance } from "../chance.ts";
import type { Judgement } from "../histories.ts";
import { linearizable, type Operation, type Result, Simulator, Violation } from "../simulator.ts";
import { Files } from "./files.ts";
import { type Answer, pieceKey, type Request } from "./records.ts";
import { repair } from "./repair.ts";
import { Rounds, type Step } from "./rounds.ts";
import type { LinkRule } from "./rules.ts";
import { expunge, lookBack, restore } from "./versions.ts";
import { LinkWorld } from "./world.ts";

const COUNTS = [3, 4, 5, 3, 4, 5, 2, 1];
const OPERATIONS = 14;
/** Longer than anything is kept that is not kept for ever. */
const LONG = 5000;

/**
 * "lists": more joins and appends than else, and servers that do not hear of lists; "unkept": so too, and no older version is kept;
 * "poor": few names, many writes and repairs, a poor network.
 */
export type LinkTilt = "even" | "lists" | "unkept" | "poor";

type Deed = keyof typeof DEEDS;

const DEEDS = {
  put: (files: Files, one: string) => files.put(one),
  putIf: (files: Files, one: string) => {
    const current = files.of.world.truth.current(one);
    return files.put(one, current && !current.deleted ? current.vid : 0);
  },
  attributes: (files: Files, one: string) => files.setAttributes(one),
  copy: (files: Files, one: string, other: string) => files.copy(one, other, false),
  move: (files: Files, one: string, other: string) => files.copy(one, other, true),
  join: (files: Files, one: string, other: string) => files.join([other, one], one, false),
  joinMove: (files: Files, one: string, other: string) => files.join([other, one], one, true),
  append: (files: Files, one: string) => files.append(one),
  remove: (files: Files, one: string) => files.remove(one),
  restore,
  expunge,
  repair: ({ of }: Files, one: string) => repair(of, one),
  lookBack,
  turn: (files: Files, one: string) => turnRing(files, one),
  get: (files: Files, one: string) => files.get(one),
} satisfies Record<string, (files: Files, one: string, other: string) => Step<Result>>;

/** How often, of all. */
const MIXES: Record<LinkTilt, Partial<Record<Deed, number>>> = {
  even: {
    put: 24,
    putIf: 6,
    attributes: 10,
    copy: 7,
    move: 8,
    join: 3,
    joinMove: 3,
    append: 6,
    remove: 8,
    restore: 4,
    expunge: 6,
    repair: 9,
    lookBack: 8,
    turn: 2,
    get: 8,
  },
  lists: {
    put: 14,
    attributes: 8,
    copy: 6,
    move: 4,
    join: 12,
    joinMove: 8,
    append: 22,
    remove: 4,
    restore: 4,
    expunge: 2,
    repair: 12,
    turn: 3,
    get: 6,
  },
  unkept: {
    put: 16,
    attributes: 12,
    copy: 8,
    move: 6,
    join: 12,
    joinMove: 8,
    append: 18,
    remove: 6,
    repair: 12,
    turn: 3,
    get: 6,
  },
  poor: { put: 20, attributes: 30, append: 10, remove: 5, expunge: 8, repair: 25, lookBack: 4 },
};

/** The ring of the current version begins elsewhere. */
function* turnRing({ of }: Files, name: string): Step<Result> {
  const look = yield* of.look(name);
  const version = look?.current?.version;
  if (!look || !version || version.deleted) return { is: "failed" };
  yield* of.settle(name, of.heard(look.told), (one) =>
    one.vid === version.vid ? { ...one, x: (one.x + 1) % of.world.count } : one,
  );
  return { is: "ok" };
}

export function linkHistory(
  seed: number,
  broken: LinkRule | null,
  tilt: LinkTilt = "even",
): Judgement {
  const isDeaf = (tilt === "lists" || tilt === "unkept") && seed % 2 === 0;
  const count = isDeaf ? 5 : COUNTS[seed % COUNTS.length]!;
  const chance = new Chance(seed + 1);
  const world = new LinkWorld(count, broken, chance);
  const isPoor = tilt === "poor";
  const weather = {
    mostDown: Math.floor((count - 1) / 2),
    mostClients: 2 + (seed % 3),
    ...(isPoor && { lose: chance.pick([0.02, 0.1, 0.2]), impatience: 0.02 }),
  };
  const sim = new Simulator<Request, Answer>(seed, count, world, weather);
  let jump = 0;
  world.now = () => sim.events + jump;
  world.isRoomShort = seed % 4 === 3;
  if (isDeaf) world.deaf = count - 1;
  const names = ["a", "b", "c"].slice(0, 1 + (seed % (isPoor || isDeaf ? 2 : 3)));
  const files = new Files(new Rounds(world, sim.chance), tilt !== "unkept");
  const mix = Object.entries(MIXES[tilt]) as [Deed, number][];
  const deeds = mix.flatMap(([deed, often]) => Array.from({ length: often }, () => deed));
  for (let i = 0; i < OPERATIONS; i++)
    sim.queue.push(() => {
      const [one, other] = [sim.chance.pick(names), sim.chance.pick(names)];
      const operation: Operation<Request, Answer> = DEEDS[sim.chance.pick(deeds)](
        files,
        one,
        other,
      );
      return { kind: "care", operation };
    });
  const settle = (operation: Operation<Request, Answer>, isLate = false): Result =>
    sim.settle({ kind: "care", operation }, isLate);
  try {
    sim.run(6000);
    sim.restartAll();
    world.deaf = null;
    for (const name of names) {
      settle(files.get(name), true);
      settle(lookBack(files, name), true);
    }
    sim.deliverAll();
    for (const name of names) {
      settle(repair(files.of, name));
      settle(lookBack(files, name));
      if (settle(files.get(name)).is !== "ok")
        throw new Violation("a get fails while all servers are up");
    }
    jump += LONG;
    for (let round = 0; round < 3; round++) for (const name of names) settle(clear(files, name));
    for (let round = 0; round < 2; round++)
      for (const server of files.of.all) {
        world.restart(server);
        world.age(server, true);
      }
    const left = names.map((name) => leftOf(world, name)).find((one) => one !== null);
    const wrong = left ?? fileLeft(world);
    if (wrong) throw new Violation(wrong);
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    return { events: sim.events, wrong: error.message };
  }
  const isRight = names.every((name) => linearizable(files.seen.of(name)));
  return { events: sim.events, wrong: isRight ? null : "the history is not linearizable" };
}

/** All that is kept goes: what is kept for ever is expunged. */
function* clear({ of }: Files, name: string): Step<Result> {
  const { world } = of;
  const isFile = (vid: number): boolean =>
    world.servers.some(({ catalog }) => {
      const entry = catalog.entries(name).get(vid);
      return Boolean(entry?.record && !entry.record.version.deleted);
    });
  const vids = new Set(world.servers.flatMap(({ catalog }) => [...catalog.entries(name).keys()]));
  for (const [vid] of world.truth.of(name).promised) world.truth.asked.add(vid);
  for (const vid of vids) if (isFile(vid)) yield of.ask({ is: "expunge", name, vid, current: 0 });
  for (const server of of.all) world.age(server, true);
  return yield* repair(of, name);
}

/** What is there of a name beside its current version's pieces, at home; null: nothing. */
function leftOf(world: LinkWorld, name: string): string | null {
  const current = world.truth.current(name);
  const isGone = !current || current.deleted;
  const own = isGone ? [] : world.lists.cidsOf(current.list);
  for (const { index, catalog } of world.servers) {
    if (catalog.entries(name).size > 0) return "an entry is left";
    for (const [cid, pieces] of catalog.held(name)) {
      if (!own.includes(cid)) return "pieces of no current version are left";
      for (const piece of pieces)
        if (!world.homesOf(current!.x, piece).includes(index))
          return "a piece is left away from home";
    }
    for (const id of catalog.lists(name).keys())
      if (id !== current?.list) return "a list of no current version is left";
    if (isGone && catalog.register(name).com) return "a tombstone is left";
  }
  return null;
}

function fileLeft({ servers }: LinkWorld): string | null {
  for (const { catalog, files } of servers) {
    const held = catalog.names.flatMap((name) =>
      [...catalog.held(name)].flatMap(([cid, pieces]) =>
        [...pieces].map((piece) => pieceKey(cid, piece)),
      ),
    );
    const used = new Set(held);
    for (const key of files) if (!used.has(key)) return "a file is left that nothing holds";
  }
  return null;
}
