/** Disks fill up: puts go on elsewhere as long as there is room for two copies, then they fail and change nothing; deletions always work. */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Commands, exit } from "./commands.ts";
import { contentOf, isSame } from "./contents.ts";
import { Servers } from "./servers.ts";
import { mountDisk } from "./small_disk.ts";
import { Failure, type Scenario, type Stage } from "./stage.ts";

const MIB = 1024 * 1024;

export const fullDisk: Scenario = {
  name: "full_disk",
  async play(stage) {
    const run = new Filling(stage);
    await run.servers.start();
    await run.oneFull();
    await run.moreFull(1);
    await run.moreFull(2);
    await run.noRoomAtAll();
    await run.restartFull();
    await run.end();
    return run.figures.join("; ");
  },
};

class Filling {
  readonly figures: string[] = [];
  readonly servers: Servers;
  readonly #stage: Stage;
  readonly #commands: Commands;
  readonly #files = new Map<string, Uint8Array>();
  readonly #disks: string[];
  /** Names whose last put may yet take effect, with the contents that they may have then. */
  readonly #open = new Map<string, (Uint8Array | undefined)[]>();
  /** Servers that took nothing of the last large file. */
  #full: readonly number[] = [];
  #value = 0;

  constructor(stage: Stage) {
    this.#stage = stage;
    const sizes = stage.size([48, 60, 120], [24, 28, 64]);
    // The first fills up first, then the second and the third; the fourth has all the room there is.
    this.#disks = sizes.map((mib, slot) => mountDisk(stage, slot, mib));
    this.servers = new Servers(stage, (slot) => {
      const disk = this.#disks[slot];
      return disk === undefined ? {} : { folder: join(disk, `dfs${slot + 1}`) };
    });
    this.#commands = new Commands(this.servers);
  }

  #next(): [name: string, data: Uint8Array] {
    const { rng } = this.#stage;
    const bytes = rng.chance(0.2)
      ? rng.between(8, 60_000)
      : MIB * this.#stage.size(1, 3) + rng.int(3 * MIB);
    return [`f${++this.#value}`, contentOf(this.#value, bytes)];
  }

  async #mustPut(when: string): Promise<void> {
    const [name, data] = this.#next();
    await this.#commands.mustPut(name, data);
    await this.#look(name, data, when);
  }

  /** A file was put: it has two copies, and where they are shows whose disk is full. */
  async #look(name: string, data: Uint8Array, when: string): Promise<void> {
    const { pieces } = await this.#commands.mustHaveTwoCopies(name, when);
    this.#files.set(name, data);
    if (data.length < MIB) return;
    const takers = new Set(pieces.flatMap(({ servers }) => servers));
    this.#full = this.servers.slots.filter((slot) => !takers.has(this.servers.at(slot).name));
  }

  /** A put that need not succeed; if it fails, nothing has changed. */
  async #mayPut(when: string): Promise<boolean> {
    const { rng } = this.#stage;
    const [fresh, data] = this.#next();
    const name = rng.chance(0.3) ? rng.pick([...this.#files.keys()]) : fresh;
    const { status, out, err } = await this.#commands.put(name, data);
    if (status === exit.ok) {
      await this.#look(name, data, when);
      return true;
    }
    if (status !== exit.putFailed || out !== `${name} put failed\n`)
      throw new Failure(`${when}: put ends with ${status}: ${out}${err}`);
    const before = this.#files.get(name);
    if (err.includes("the outcome is open")) {
      this.#files.delete(name);
      this.#open.set(name, [before, data]);
    } else if (before) await this.#commands.mustGet(name, before, `${when}, a put failed`);
    else {
      const got = await this.#commands.get(name);
      if (got.status !== exit.noSuchName)
        throw new Failure(`${when}: a put failed, and a get of it ends with ${got.status}`);
    }
    return false;
  }

  async #mustRemove(when: string): Promise<void> {
    const name = this.#stage.rng.pick([...this.#files.keys()]);
    const { status, out, err } = await this.#commands.remove(name);
    if (status !== exit.ok) throw new Failure(`${when}: rm ends with ${status}: ${out}${err}`);
    this.#files.delete(name);
    const got = await this.#commands.get(name);
    if (got.status !== exit.noSuchName)
      throw new Failure(`${when}: ${name} was deleted, and get ends with ${got.status}`);
  }

  async oneFull(): Promise<void> {
    const when = "one disk full";
    let puts = 0;
    for (; !this.#full.includes(0); puts++) await this.#mustPut(when);
    for (let i = 0; i < 6; i++, puts++) await this.#mustPut(when);
    await this.#commands.mustGetAll(this.#files, when);
    this.figures.push(`${puts} puts until one disk was full, and on`);
  }

  /** Goes on until some more disks are full as well; then makes room, and all works again. */
  async moreFull(last: number): Promise<void> {
    const when = `${last + 1} disks full`;
    let done = 0;
    let failed = 0;
    // Where two servers have room, all pieces find two places; a third full one ends that.
    while (failed < 4 && !this.#full.includes(last)) {
      if (await this.#mayPut(when)) done++;
      else failed++;
    }
    for (let i = 0; i < 6; i++) {
      if (await this.#mayPut(when)) done++;
      else failed++;
    }
    if (last === 2 && failed === 0) throw new Failure(`${when}: no put failed`);
    await this.#commands.mustGetAll(this.#files, when);
    for (let i = 0; i < 3; i++) await this.#mustRemove(when);
    await this.#commands.mustGetAll(this.#files, `${when}, some deleted`);
    if (last === 2) {
      while (this.#files.size > this.#stage.size(8, 3)) await this.#mustRemove(when);
      for (let i = 0; i < 3; i++) await this.#mustPut(`${when}, and much deleted`);
      await this.#commands.mustGetAll(this.#files, `${when}, and much deleted`);
    }
    this.figures.push(`${when}: ${done} puts done, ${failed} refused`);
  }

  /** Somebody else takes all the room there is, so that not even a promise can be written. */
  async noRoomAtAll(): Promise<void> {
    const fillers: string[] = [];
    let refused = 0;
    for (const slot of [0, 1]) {
      fillers.push(fill(this.#disks[slot] ?? ""));
      const when = `no room at all on ${slot + 1}`;
      for (let i = 0; i < 6; i++) if (!(await this.#mayPut(when))) refused++;
      await this.#commands.mustGetAll(this.#files, when);
      // What a deletion takes is kept for it.
      for (let i = 0; i < 2; i++) await this.#mustRemove(when);
      this.#stage.check();
    }
    for (const path of fillers) rmSync(path);
    // Puts that failed have left pieces behind, or may even have come to their end.
    await this.#commands.repairOnce();
    for (const [name, contents] of this.#open) await this.#settle(name, contents);
    this.#open.clear();
    while (this.#files.size > this.#stage.size(8, 3)) await this.#mustRemove("with room again");
    await this.#commands.mustGetAll(this.#files, "with room again");
    for (let i = 0; i < 2; i++) await this.#mustPut("with room again");
    await this.#mustRemove("with room again");
    this.figures.push(`no room at all: ${refused} puts refused`);
  }

  /** A server whose disk is full can be started again; one without any room at all may refuse to, and say why. */
  async restartFull(): Promise<void> {
    const [server] = this.servers.all;
    const [disk = ""] = this.#disks;
    if (!server) return;
    await server.kill();
    await server.start();
    await this.#commands.mustGetAll(this.#files, "a full server was started again");
    const filler = fill(disk);
    await server.kill();
    const refusal = await server.start().then(
      () => null,
      (error: unknown) => String(error),
    );
    if (refusal !== null && !/full/.test(refusal)) throw new Failure(refusal);
    await this.#commands.mustGetAll(this.#files, "a server without room was started again");
    rmSync(filler);
    if (refusal !== null) await server.start();
    await this.#mustPut("with room again after a start");
    this.figures.push(`a start without room: ${refusal === null ? "serves" : "refused"}`);
  }

  async end(): Promise<void> {
    // Make room for everything to come home.
    while (this.#files.size > 4) await this.#mustRemove("at the end");
    await this.#commands.repair();
    for (const [name, contents] of this.#open) await this.#settle(name, contents);
    await this.#commands.mustGetAll(this.#files, "repaired");
    await this.#commands.count(this.#files);
  }

  /** After repair what was open is not so any more. */
  async #settle(name: string, contents: readonly (Uint8Array | undefined)[]): Promise<void> {
    const { status, data } = await this.#commands.get(name);
    const found = contents.find((content) => content && data && isSame(content, data));
    if (found) this.#files.set(name, found);
    else if (status !== exit.noSuchName || !contents.includes(undefined))
      throw new Failure(`${name}, whose put was open, ends with ${status}, or other bytes`);
  }
}

/** Takes all the room on a disk, to the last byte. */
function fill(disk: string): string {
  const path = join(disk, "filler");
  for (let bytes = MIB; bytes >= 1;) {
    try {
      writeFileSync(path, new Uint8Array(bytes), { flag: "a" });
    } catch {
      bytes = Math.floor(bytes / 4);
    }
  }
  return path;
}
