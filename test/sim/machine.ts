/** Who lives in a simulated world, and what is going to happen to whom. */
import type { Rng } from "./random.ts";

const HOUR_MS = 3_600_000;

export interface SimEvent {
  time: number;
  order: number;
  /**
   * Whose event it is: it waits while that machine is frozen and never fires once it is dead. null:
   * the world's own.
   */
  readonly owner: Machine | null;
  readonly label: string;
  /** null once cancelled or fired. */
  fire: (() => void) | null;
}

/**
 * One life of one process on one box. Its timers, I/O and continuations are its own and end with
 * it.
 */
export class Machine {
  readonly name: string;
  /** Counts machines in one world; a restarted one is a new one of the same name. */
  readonly id: number;
  alive = true;
  frozen = false;
  /** What came due while it was frozen, in order. */
  readonly held: SimEvent[] = [];
  readonly lastWords: (() => void)[] = [];
  /** No two machines agree about the time. */
  readonly clockOffset: number;
  readonly wallOffset: number;

  /** `rng` is for this life, `boxSeed` for all lives of that name: a box keeps its clock. */
  constructor(name: string, id: number, rng: Rng, boxSeed: number) {
    this.name = name;
    this.id = id;
    this.clockOffset = rng.int(HOUR_MS);
    this.wallOffset = (boxSeed % (2 * HOUR_MS)) - HOUR_MS;
  }
}

/** A promise that never settles: what a dead machine gets from every port. */
export const never = <T>(): Promise<T> => new Promise<T>(() => {});
