/**
 * All states of a small case: three servers, a few ballots, one tombstone that may be forgotten (docs/consistency.md sections 1 and 2).
 * Messages never go away, so that loss, delay, repetition and reordering are all there. A value is its lineage: "12x" was written by 1,
 * overwritten by 2, and deleted. Servers are alike, so states that differ in their order are one.
 */
import type { Judgement } from "./histories.ts";

export type StateRule = "promise not kept" | "one promise is enough";

/** Who proposes at a ballot: a writer ("1", "2"), who deletes ("x"), or who settles ("="). */
export interface Proposer {
  readonly ballot: number;
  readonly who: string;
}

interface Server {
  readonly prom: number;
  readonly acc: number;
  readonly value: string;
  readonly com: number;
  readonly known: string;
  readonly floor: number;
  /** By ballot: what it told with its promise. */
  readonly told: ReadonlyMap<number, string>;
  /** All that it ever accepted. */
  readonly ever: readonly string[];
}

interface State {
  readonly servers: readonly Server[];
  /** By ballot: what is proposed, and the floor that its life was born on. */
  readonly proposed: ReadonlyMap<number, { readonly value: string; readonly born: number }>;
  /** The ballot of the tombstone that may be forgotten. */
  readonly forgetting: number;
  readonly chosen: readonly string[];
}

const COUNT = 3;
const ACCEPT = 2;
const READ = 2;

const keyOf = ({ servers, proposed, forgetting }: State): string => {
  const columns = servers.map(({ prom, acc, value, com, known, floor, told, ever }) =>
    [prom, acc, value, com, known, floor, [...told].join(), ever.join()].join("|"),
  );
  const values = [...proposed].map(([ballot, { value, born }]) => `${ballot}=${value}@${born}`);
  return `${columns.sort().join("#")}~${values.sort().join()}~${forgetting}`;
};

const withServer = (state: State, at: number, change: Partial<Server>): State => ({
  ...state,
  servers: state.servers.map((server, i) => (i === at ? { ...server, ...change } : server)),
});

const parsed = (chosen: string): { ballot: number; value: string } => {
  const [ballot = "", value = ""] = chosen.split("=");
  return { ballot: Number(ballot), value };
};

/** A server accepts; and what is chosen by that. */
function vote(state: State, at: number, ballot: number, value: string): State {
  const key = `${ballot}=${value}`;
  const server = state.servers[at]!;
  const ever = server.ever.includes(key) ? server.ever : [...server.ever, key].sort();
  const prom = Math.max(server.prom, ballot);
  const next = withServer(state, at, { prom, acc: ballot, value, ever });
  const votes = next.servers.filter((one) => one.ever.includes(key)).length;
  if (votes < ACCEPT || state.chosen.includes(key)) return next;
  return { ...next, chosen: [...state.chosen, key] };
}

/** What is wrong with what was chosen; null where nothing is. */
function wrongIn({ chosen, forgetting }: State): string | null {
  const values = chosen.map(parsed).sort((a, b) => a.ballot - b.ballot);
  for (const [i, after] of values.entries()) {
    const before = values[i - 1];
    if (!before || after.value.startsWith(before.value)) continue;
    const isEnded = values.some(
      ({ ballot, value }) =>
        value.endsWith("x") &&
        ballot >= before.ballot &&
        ballot < after.ballot &&
        value.startsWith(before.value),
    );
    if (!isEnded || forgetting === 0) return `the chain is broken: ${chosen.join(" ")}`;
  }
  for (const writer of ["1", "2", "3"]) {
    const lives = values.flatMap(({ value }) =>
      value.includes(writer) ? [value.slice(0, value.indexOf(writer) + 1)] : [],
    );
    if (new Set(lives).size > 1 || values.some(({ value }) => value.split(writer).length > 2))
      return `${writer} is applied twice: ${chosen.join(" ")}`;
  }
  return null;
}

function* promises(state: State, proposers: readonly Proposer[]): Generator<State> {
  for (const { ballot } of proposers)
    for (const [at, { prom, acc, value, com, known, floor, told }] of state.servers.entries())
      if (ballot > prom) {
        const said = new Map([...told, [ballot, [acc, value, com, known, floor].join()]] as const);
        yield withServer(state, at, { prom: ballot, told: said });
      }
}

/** What a proposer may propose, having these promises; null: nothing. */
function nextValue(
  state: State,
  { ballot, who }: Proposer,
  promised: readonly string[],
): { value: string; born: number } | null {
  let [at, current, floor] = [0, "", 0];
  for (const promise of promised) {
    const [acc = "", value = "", com = "", known = "", own = ""] = promise.split(",");
    if (Number(acc) > at) [at, current] = [Number(acc), value];
    if (Number(com) > at) [at, current] = [Number(com), known];
    floor = Math.max(floor, Number(own));
  }
  const born =
    current === ""
      ? floor
      : ([...state.proposed.values()].find(({ value }) => value === current)?.born ?? 0);
  if (who === "=") return current === "" ? null : { value: current, born };
  if (who === "x")
    return current === "" || current.includes("x") ? null : { value: `${current}x`, born };
  if (current.includes(who)) return { value: current, born };
  if (current === "" && floor >= ballot) return null;
  const tried = [...state.proposed].flatMap(([other, { value }]) =>
    other < ballot && value.endsWith(who) ? [other] : [],
  );
  const isOpen = tried.some((first) => born >= first);
  return isOpen ? null : { value: current + who, born };
}

function* proposals(
  state: State,
  proposers: readonly Proposer[],
  broken: StateRule | null,
): Generator<State> {
  for (const proposer of proposers) {
    const { ballot } = proposer;
    if (state.proposed.has(ballot)) continue;
    const told = state.servers.flatMap((server) => server.told.get(ballot) ?? []);
    for (let some = 1; some < 1 << told.length; some++) {
      const promised = told.filter((_, i) => (some >> i) & 1);
      const next =
        promised.length < (broken === "one promise is enough" ? 1 : READ)
          ? null
          : nextValue(state, proposer, promised);
      if (next) yield { ...state, proposed: new Map([...state.proposed, [ballot, next]]) };
    }
  }
}

function* deliveries(state: State, broken: StateRule | null): Generator<State> {
  for (const [at, { prom, acc, com, known, floor }] of state.servers.entries()) {
    for (const [ballot, { value }] of state.proposed)
      if ((ballot >= prom || broken === "promise not kept") && acc < ballot)
        yield vote(state, at, ballot, value);
    for (const { ballot, value } of state.chosen.map(parsed)) {
      const isLate = acc === 0 && com === 0 && ballot <= floor;
      if (com >= ballot || isLate) continue;
      const isNewer = acc <= ballot;
      yield withServer(state, at, {
        com: ballot,
        known: value,
        prom: Math.max(prom, ballot),
        ...(isNewer && { acc: ballot, value }),
      });
    }
    if (state.forgetting > 0 && com === state.forgetting && acc === com && known.endsWith("x")) {
      const left = Math.max(floor, prom);
      yield withServer(state, at, {
        prom: left,
        floor: left,
        acc: 0,
        com: 0,
        value: "",
        known: "",
      });
    }
  }
  for (const { ballot, value } of state.chosen.map(parsed)) {
    const holders = state.servers.filter(({ acc, com }) => acc === ballot && com === ballot);
    const isEnough = holders.length === COUNT;
    if (value.endsWith("x") && isEnough && state.forgetting !== ballot)
      yield { ...state, forgetting: ballot };
  }
}

const BLANK: Server = {
  prom: 0,
  acc: 0,
  value: "",
  com: 0,
  known: "",
  floor: 0,
  told: new Map(),
  ever: [],
};

/** Looks at all states that these proposers can come to, or at the first so many. */
export function allStates(
  proposers: readonly Proposer[],
  broken: StateRule | null,
  most: number,
): Judgement {
  const start: State = {
    servers: Array.from({ length: COUNT }, () => BLANK),
    proposed: new Map(),
    forgetting: 0,
    chosen: [],
  };
  const seen = new Set([keyOf(start)]);
  const queue = [start];
  for (let head = 0; head < queue.length && seen.size < most; head++) {
    const state = queue[head]!;
    for (const steps of [
      promises(state, proposers),
      proposals(state, proposers, broken),
      deliveries(state, broken),
    ])
      for (const next of steps) {
        const key = keyOf(next);
        if (seen.has(key)) continue;
        seen.add(key);
        const wrong = next.chosen.length > state.chosen.length ? wrongIn(next) : null;
        if (wrong) return { events: seen.size, wrong };
        queue.push(next);
      }
  }
  return { events: seen.size, wrong: null };
}
