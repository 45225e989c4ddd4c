/** What clients do in a history: drawn from its seed. */
import { addressOf, type SimCluster } from "./cluster.ts";
import { CALM, drawRates, type Rates } from "./faults.ts";
import { drawLink } from "./links.ts";
import type { Order } from "./orders.ts";
import { CHUNK_BYTES, WEIGHT_MAX } from "../../src/limits.ts";
import type { Rng } from "./random.ts";

/** The names that files have. */
export const NAMES = ["a", "b/c"] as const;

export interface Workload {
  /** How often put, putIf, rm, repair, list, copies and moves, and get come. */
  readonly mix: readonly number[];
  /** The layouts that files have. */
  readonly layouts: readonly string[];
  /** How often of an order it is that the servers change; 0 where they never do. */
  readonly changes: number;
}

/** Mixes of several kinds. */
const MIXES: readonly (readonly number[])[] = [
  [30, 12, 12, 10, 4, 0, 32],
  [50, 0, 10, 5, 0, 0, 35],
  [15, 45, 5, 5, 0, 0, 30],
  [20, 5, 30, 30, 0, 0, 15],
  [30, 0, 0, 40, 0, 0, 30],
  [45, 4, 2, 8, 1, 30, 10],
  [30, 0, 0, 25, 0, 35, 10],
];

/** Many conditional writers of one small file whose clients die and lose servers in mid-write. */
const STRAYS = [5, 70, 0, 0, 0, 0, 25];
const STRAY_CHANCE = 0.15;
const CHANGING_CHANCE = 0.35;

/** The layouts of clusters of each size, where files have several. */
const LAYOUTS: Readonly<Record<number, readonly string[]>> = {
  3: ["pairs", "rs:2+1"],
  4: ["pairs", "rs:2+2", "rs:3+1", "rs:2+1"],
  5: ["rs:3+2", "rs:4+1", "rs:2+1"],
};

/** The workload of a history with so many servers. */
export function drawWorkload(rng: Rng, servers: number): Workload {
  const layouts = rng.pick([["pairs"], ["pairs"], LAYOUTS[servers] ?? ["pairs"]]);
  const mix = rng.chance(STRAY_CHANCE) ? STRAYS : rng.pick(MIXES);
  const changes = servers > 2 && rng.chance(CHANGING_CHANCE) ? rng.pick([0.15, 0.4]) : 0;
  return { mix, layouts, changes };
}

/** Servers beyond those that the cluster begins with. */
export const sparesFor = ({ changes }: Workload): number => (changes > 0 ? 2 : 0);

/** Draws how the servers change next. */
export function drawChange(rng: Rng, { first, spares, servers }: SimCluster): Order {
  const { name } = rng.pick(servers);
  const by = addressOf(rng.pick(spares));
  if (rng.chance(0.2)) return { do: "rebalance" };
  if (rng.chance(0.2)) return { do: "drain", by: name };
  if (rng.chance(0.2)) return { do: "weigh", by: name, weight: 1 + rng.int(WEIGHT_MAX) };
  if (rng.chance(0.5)) return { do: "grow", by };
  return rng.chance(0.5)
    ? { do: "shrink", by: name }
    : { do: "replace", old: rng.pick(first).name, by };
}

/** Does it begin with a cluster that is there already, whatever chance says? */
export const mustBePrepared = ({ mix, changes }: Workload): boolean =>
  mix === STRAYS || linksOf(mix) > 0 || changes > 0;

/** How often copies and moves come. They need files, and so servers, from the beginning. */
const linksOf = (mix: Workload["mix"]): number => mix[5] ?? 0;

/** The faults that go with it. */
export const ratesFor = ({ mix }: Workload, rng: Rng): Rates =>
  mix === STRAYS ? strayRates(rng) : drawRates(rng);

const strayRates = (rng: Rng): Rates => ({
  ...CALM,
  stepMs: rng.pick([2, 8, 20]),
  kill: 0.01,
  restart: 0.2,
  cut: 0.06,
  heal: rng.pick([0.1, 0.3]),
  snap: 0.03,
  killClient: 0.04,
});

/** Which contents come as streams; and how long these are: lengths at and about the edges of stripes. */
const STREAM_EVERY = 6;
const STREAM_EDGES = [-1, 0, 1, 70_001];

/** What a put of this content is where it comes as a stream. Nothing is drawn for it. */
function streamOf(value: number): { stream?: true; bytes?: number } {
  if (value % STREAM_EVERY !== 0) return {};
  const nth = Math.floor(value / STREAM_EVERY);
  const edge = STREAM_EDGES[nth % STREAM_EDGES.length] ?? 0;
  return { stream: true, bytes: Math.max(0, ((nth * 5) % 7) * CHUNK_BYTES + edge) };
}

/** Which reads are slow ones. */
const SLOW_EVERY = 4;

/** Draws what a client does next. */
export function drawOrder(
  rng: Rng,
  { mix, layouts }: Workload,
  value: number,
  known: readonly number[],
): Order {
  const layout = rng.pick(layouts);
  const name = mix === STRAYS || rng.chance(0.75) ? NAMES[0] : NAMES[1];
  const bytes =
    mix === STRAYS
      ? 50
      : rng.chance(0.7)
        ? rng.between(20, 3000)
        : rng.chance(0.8)
          ? rng.between(40_000, 200_000)
          : rng.between(300_000, 2_000_000);
  const dice = rng.fraction() * mix.reduce((a, b) => a + b, 0);
  const at = (kind: number): boolean => dice < mix.slice(0, kind + 1).reduce((a, b) => a + b, 0);
  if (at(0)) return { do: "put", name, value, bytes, layout, ...streamOf(value) };
  if (at(1)) {
    const expected = rng.chance(0.4) || known.length === 0 ? 0 : rng.pick(known.slice(-3));
    return { do: "putIf", name, value, bytes, expected, layout };
  }
  if (at(2)) return { do: "rm", name };
  if (at(3)) return { do: "repair" };
  if (at(4)) return { do: "list" };
  if (at(5)) return drawLink(rng, NAMES);
  // Nothing is drawn for it.
  return { do: value % SLOW_EVERY === 0 ? "readSlowly" : "get", name };
}
