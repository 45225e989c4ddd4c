/**
 * One user's names and files: what servers know a name by, and which values of it to believe. Held
 * by Cluster.
 */
import { KEY_NAME } from "../../file/names.ts";
import type { Guard } from "./guard.ts";
import { type Judge, takeAll } from "./judge.ts";

export class Space {
  /** Whose it is; the empty one is nobody's. */
  readonly user: string;
  /** Seals and opens names and versions; null where nothing is sealed, or nobody has the keys. */
  readonly guard: Guard | null;
  readonly judge: Judge;

  constructor(user: string, guard: Guard | null = null, judge: Judge = guard?.judge ?? takeAll) {
    this.user = user;
    this.guard = guard;
    this.judge = judge;
  }

  /** What servers know a name by. */
  stored(name: string): string {
    return this.guard ? this.guard.stored(name) : name;
  }

  /**
   * What people call a name that servers know; as servers know it where nobody here can open it.
   */
  shown(stored: string): string {
    return stored === KEY_NAME ? "(key)" : (this.guard?.shown(stored) ?? stored);
  }
}
