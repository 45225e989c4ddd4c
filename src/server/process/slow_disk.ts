/**
 * Watches a server's disk, and warns about slowness: a task that ended late, a task that has not
 * ended, and a stand-still of the whole server. Used by `serve`.
 */
import { SLOW_DISK_LOOK_MS, SLOW_DISK_MS } from "../../limits.ts";
import type { Clock, Disk, OpenFile, Notify } from "../../io/ports.ts";

/** A task that the disk was asked to do. */
interface Task {
  readonly what: string;
  readonly since: number;
  isReported: boolean;
}

export class SlowDisk {
  readonly #clock: Clock;
  readonly #notify: Notify;
  readonly #tasks = new Set<Task>();
  #stop = (): void => {};

  constructor(clock: Clock, notify: Notify) {
    this.#clock = clock;
    this.#notify = notify;
    this.#lookAgain();
  }

  /** The same disk, watched. */
  watch(disk: Disk): Disk {
    return {
      ...disk,
      open: async (path, mode) =>
        this.#file(await this.#time("open a file", () => disk.open(path, mode))),
      rename: (from, to) => this.#time("rename a file", () => disk.rename(from, to)),
      remove: (path) => this.#time("remove a file", () => disk.remove(path)),
      syncFolder: (path) => this.#time("sync a folder", () => disk.syncFolder(path)),
    };
  }

  /** Stops watching. */
  stop(): void {
    this.#stop();
  }

  #file(file: OpenFile): OpenFile {
    return {
      read: (into, offset) => this.#time("read", () => file.read(into, offset)),
      write: (bytes, offset) => this.#time("write", () => file.write(bytes, offset)),
      sync: () => this.#time("sync", () => file.sync()),
      close: () => file.close(),
    };
  }

  async #time<T>(what: string, work: () => Promise<T>): Promise<T> {
    const task: Task = { what, since: this.#clock.now(), isReported: false };
    this.#tasks.add(task);
    try {
      return await work();
    } finally {
      this.#tasks.delete(task);
      const ms = this.#clock.now() - task.since;
      if (ms >= SLOW_DISK_MS) this.#warn(`the disk took ${secondsText(ms)} to ${what}`, what, ms);
    }
  }

  #lookAgain(): void {
    const since = this.#clock.now();
    this.#stop = this.#clock.after(SLOW_DISK_LOOK_MS, () => {
      const late = this.#clock.now() - since - SLOW_DISK_LOOK_MS;
      if (late >= SLOW_DISK_MS) {
        const line = `the server stood still for ${secondsText(late)}: the disk of its catalog, or the machine, is slow`;
        this.#warn(line, "run", late);
      }
      for (const task of this.#tasks) this.#lookAt(task);
      this.#lookAgain();
    });
  }

  #lookAt(task: Task): void {
    const ms = this.#clock.now() - task.since;
    if (task.isReported || ms < SLOW_DISK_MS) return;
    task.isReported = true;
    this.#warn(
      `the disk has been asked to ${task.what} ${secondsText(ms)} ago, and has not yet`,
      task.what,
      ms,
    );
  }

  #warn(line: string, what: string, ms: number): void {
    this.#notify({
      level: "warning",
      event: "disk-slow",
      line,
      facts: { what, ms: Math.round(ms) },
    });
  }
}

const secondsText = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
