/** One random history of the register's model, and what is wrong with it. */
import { collect, forget, repair } from "./care.ts";
import { Chance } from "./chance.ts";
import { get, put } from "./operations.ts";
import { type Answer, BALLOT_CLIENTS, Registers, type Request } from "./register.ts";
import { Rounds } from "./rounds.ts";
import type { Rule } from "./rules.ts";
import { type Begin, type Operation, Simulator, Violation, type Weather } from "./simulator.ts";

/** What came of it; `wrong`: null where nothing is. */
export interface Judgement {
  readonly events: number;
  readonly wrong: string | null;
}

const COUNTS = [3, 4, 5];
const OPERATIONS = 9;

/** What is done more often than else: some rules matter where a name comes and goes, others where many write it at once. */
export type Tilt = "even" | "deletions" | "writers";

const WEATHERS: Record<Tilt, Partial<Weather>> = {
  even: {},
  deletions: { double: 0.2, crash: 0.03, restart: 0.3 },
  writers: { impatience: 0.08, lose: 0.1, crash: 0.004 },
};

/** Which part of the operations are of each kind; gets are the rest. */
interface Mix {
  readonly put: number;
  readonly putIf: number;
  readonly delete: number;
  readonly repair: number;
  readonly forget: number;
  readonly collect: number;
  readonly disturb: number;
  readonly small: number;
}

const MIXES: Record<Tilt, Mix> = {
  even: {
    put: 0.32,
    putIf: 0.18,
    delete: 0.12,
    repair: 0.06,
    forget: 0.08,
    collect: 0.06,
    disturb: 0.04,
    small: 0.4,
  },
  deletions: {
    put: 0.3,
    putIf: 0.05,
    delete: 0.25,
    repair: 0.04,
    forget: 0.24,
    collect: 0,
    disturb: 0,
    small: 1,
  },
  writers: {
    put: 0.35,
    putIf: 0.4,
    delete: 0.1,
    repair: 0,
    forget: 0.05,
    collect: 0,
    disturb: 0,
    small: 1,
  },
};
/** One may meet servers that its fence has not reached yet. */
const REPAIRS = 5;

export function registerHistory(seed: number, broken: Rule | null, tilt: Tilt = "even"): Judgement {
  const count = tilt === "even" ? COUNTS[seed % COUNTS.length]! : 3;
  const world = new Registers(count, broken, new Chance(seed + 1));
  const mostDown = Math.floor((count - 1) / 2);
  const weather = { mostDown, mostClients: 2 + (seed % 3), ...WEATHERS[tilt] };
  const sim = new Simulator(seed, count, world, weather);
  const of = new Rounds(world, sim.chance);
  if (tilt === "writers") of.watch = 0;
  const known = [0];
  for (let i = 0; i < OPERATIONS; i++) sim.queue.push(() => begin(of, MIXES[tilt], known));
  try {
    sim.run();
    sim.restartAll();
    const look = (late: boolean) => sim.settle({ kind: "get", operation: get(of) }, late);
    const care = (operation: Operation<Request, Answer>) =>
      sim.settle({ kind: "care", operation }, false);
    look(true);
    sim.deliverAll();
    care(repair(of));
    const isRead = look(false).is === "ok";
    let left: string | null = "not repaired";
    for (let round = 0; left !== null && round < REPAIRS; round++) {
      for (const one of [collect, repair, forget]) care(one(of));
      left = leftIn(world);
    }
    look(false);
    if (broken !== "lost disk keeps its id") {
      if (!isRead) throw new Violation("a get fails while all servers are up");
      if (left !== null) throw new Violation(left);
    }
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    return { events: sim.events, wrong: error.message };
  }
  return {
    events: sim.events,
    wrong: sim.isLinearizable ? null : "the history is not linearizable",
  };
}

function begin(of: Rounds, mix: Mix, known: number[]): Begin<Request, Answer> {
  const { chance } = of;
  const vid = ++of.vids;
  const small = chance.is(mix.small);
  let left = chance.fraction();
  const isIt = (part: number): boolean => (left -= part) < 0;
  const care = (operation: Operation<Request, Answer>) => ({ kind: "care" as const, operation });
  if (isIt(mix.put)) {
    known.push(vid);
    return { kind: "put", vid, operation: put(of, { vid, small }) };
  }
  if (isIt(mix.putIf)) {
    const expected = chance.pick(known.slice(-2));
    known.push(vid);
    return { kind: "putIf", vid, expected, operation: put(of, { vid, small, expected }) };
  }
  if (isIt(mix.delete)) return { kind: "delete", vid, operation: put(of, { vid, deleted: true }) };
  if (isIt(mix.repair)) return care(repair(of));
  if (isIt(mix.forget)) return care(forget(of));
  if (isIt(mix.collect)) return care(collect(of));
  if (isIt(mix.disturb)) return care(disturb(of));
  return { kind: "get", operation: get(of) };
}

/** What other names do to a space's floor, on one server; and its trash is emptied. */
function* disturb(of: Rounds): Operation<Request, Answer> {
  const server = of.chance.below(of.world.count);
  const floor = BALLOT_CLIENTS * (2 + of.chance.below(6)) - 1;
  if (of.chance.is(0.4)) yield of.ask({ is: "raise", floor }, undefined, [server]);
  yield of.ask({ is: "sweep" });
  return { is: "ok" };
}

/** What is there beside the current version's pieces, at home; null: nothing. */
function leftIn(world: Registers): string | null {
  const current = world.rows[0]?.com?.version ?? null;
  for (const [server, pieces] of world.pieces.entries()) {
    world.sweep(server);
    for (const [vid, those] of pieces) {
      if (vid !== current?.vid) return "pieces of no current version are left";
      const isAway = [...those.keys()].some((piece) => !world.homesOf(piece).includes(server));
      if (isAway) return "a piece is left away from home";
    }
  }
  const isGone = current === null || current.deleted;
  return isGone && world.rows.some(({ com }) => com) ? "a tombstone is left" : null;
}
