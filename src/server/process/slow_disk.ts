/** A disk that says where it keeps a server waiting: what ends late, what has not ended, and when the whole server stood still for it. */
import { SLOW_DISK_LOOK_MS, SLOW_DISK_MS } from "../../limits.ts";
import type { Clock, Disk, OpenFile, Tell } from "../../io/ports.ts";

/** Something that was asked of the disk. */
interface Task {
  readonly what: string;
  readonly since: number;
  isTold: boolean;
}

export class SlowDisk {
  readonly #clock: Clock;
  readonly #tell: Tell;
  readonly #tasks = new Set<Task>();
  #stop = (): void => {};

  constructor(clock: Clock, tell: Tell) {
    this.#clock = clock;
    this.#tell = tell;
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

  /** Watches no more. */
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
    const task: Task = { what, since: this.#clock.now(), isTold: false };
    this.#tasks.add(task);
    try {
      return await work();
    } finally {
      this.#tasks.delete(task);
      const ms = this.#clock.now() - task.since;
      if (ms >= SLOW_DISK_MS) this.#say(`the disk took ${secondsText(ms)} to ${what}`, what, ms);
    }
  }

  #lookAgain(): void {
    const since = this.#clock.now();
    this.#stop = this.#clock.after(SLOW_DISK_LOOK_MS, () => {
      const late = this.#clock.now() - since - SLOW_DISK_LOOK_MS;
      if (late >= SLOW_DISK_MS) {
        const line = `the server stood still for ${secondsText(late)}: the disk of its catalog, or the machine, is slow`;
        this.#say(line, "run", late);
      }
      for (const task of this.#tasks) this.#lookAt(task);
      this.#lookAgain();
    });
  }

  #lookAt(task: Task): void {
    const ms = this.#clock.now() - task.since;
    if (task.isTold || ms < SLOW_DISK_MS) return;
    task.isTold = true;
    this.#say(
      `the disk has been asked to ${task.what} ${secondsText(ms)} ago, and has not yet`,
      task.what,
      ms,
    );
  }

  #say(line: string, what: string, ms: number): void {
    this.#tell({
      level: "warning",
      event: "disk-slow",
      line,
      facts: { what, ms: Math.round(ms) },
    });
  }
}

const secondsText = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
