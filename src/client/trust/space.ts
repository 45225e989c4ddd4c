/**
 * One user's names and files: what servers know a name by, and which values of it to believe. Held
 * by Cluster.
 */
import {
  checkStored,
  KEY_NAME,
  mayBegin,
  mayBeStored,
  type Name,
  type StoredName,
} from "../../file/names.ts";
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
  stored(name: Name): StoredName {
    return this.guard ? this.guard.stored(name) : checkStored(name);
  }

  /**
   * How the stored names of all names begin that begin with `prefix`; null where there can be none.
   * Sealed names keep their folders, so there the beginning is that of the prefix's last folder,
   * and it begins other names too.
   */
  storedPrefix(prefix: string): string | null {
    if (!this.guard) return mayBeStored(prefix) ? prefix : null;
    if (!mayBegin(prefix)) return null;
    return this.guard.stored(prefix.slice(0, prefix.lastIndexOf("/") + 1));
  }

  /**
   * What people call a name that servers know; as servers know it where nobody here can open it.
   */
  shown(stored: StoredName): string {
    return stored === KEY_NAME ? "(key)" : (this.guard?.shown(stored) ?? stored);
  }
}
