/** The commands of the executable, as functions over bytes. */
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isSame } from "./contents.ts";
import { type Count, countOnDisk, isHalfRemoved } from "./on_disk.ts";
import type { Ran, Servers } from "./servers.ts";
import { Failure } from "./stage.ts";

/** What the scenarios take from `stat --json`. */
export interface StatJson {
  readonly version: string;
  readonly seq: number;
  readonly x: number;
  readonly incomplete: boolean;
  readonly pieces: readonly { piece: number; bytes: number; servers: string[] }[];
}

/** What `repair --json` sums up. */
export interface RepairSums {
  readonly restored: number;
  readonly dropped: number;
  readonly collected: number;
  readonly forgotten: number;
  readonly lost: number;
  readonly unrepaired: number;
  readonly names: readonly unknown[];
}

export const exit = {
  ok: 0,
  noSuchName: 4,
  tooFew: 5,
  incomplete: 6,
  putFailed: 7,
  conflict: 11,
  integrity: 13,
};

export class Commands {
  readonly servers: Servers;
  readonly #local: string;

  constructor(servers: Servers) {
    this.servers = servers;
    this.#local = servers.newFolder();
  }

  async put(name: string, data: Uint8Array, ...flags: string[]): Promise<Ran> {
    const path = join(this.#local, `put-${crypto.randomUUID()}`);
    writeFileSync(path, data);
    const ran = await this.servers.run(["put", path, "--name", name, ...flags]);
    rmSync(path);
    return ran;
  }

  /** A put that must succeed. */
  async mustPut(name: string, data: Uint8Array): Promise<void> {
    const { status, out, err } = await this.put(name, data);
    if (status !== 0) throw new Failure(`put ${name} ends with ${status}: ${out}${err}`);
  }

  /** The bytes of a file, null where it failed: then the file that stood there before must be untouched. */
  async get(name: string): Promise<Ran & { data: Uint8Array | null }> {
    const path = join(this.#local, `get-${crypto.randomUUID()}`);
    const before = "what was there before";
    writeFileSync(path, before);
    const ran = await this.servers.run(["get", name, "-o", path]);
    const data = readFileSync(path);
    rmSync(path);
    if (ran.status === 0) return { ...ran, data };
    if (data.toString() !== before)
      throw new Failure(`get ${name} failed (${ran.status}) and yet wrote ${data.length} bytes`);
    return { ...ran, data: null };
  }

  /** A get that must bring these bytes. */
  async mustGet(name: string, expected: Uint8Array, when: string): Promise<Ran> {
    const got = await this.get(name);
    if (got.data === null)
      throw new Failure(`${when}: get ${name} ends with ${got.status}: ${got.out}${got.err}`);
    if (!isSame(got.data, expected)) throw new Failure(`${when}: get ${name} brings other bytes`);
    return got;
  }

  /** Gets all of these in one command; each must bring its bytes. Resolves to what was said on stderr. */
  async mustGetAll(files: ReadonlyMap<string, Uint8Array>, when: string): Promise<string> {
    if (files.size === 0) return "";
    const cwd = this.servers.newFolder();
    const ran = await this.servers.run(["get", ...files.keys()], cwd);
    if (ran.status !== 0)
      throw new Failure(`${when}: get of all ends with ${ran.status}: ${ran.out}${ran.err}`);
    for (const [name, expected] of files) {
      const path = join(cwd, name.split("/").at(-1) ?? name);
      if (!existsSync(path) || !isSame(readFileSync(path), expected))
        throw new Failure(`${when}: ${name} came back with other bytes`);
    }
    rmSync(cwd, { recursive: true });
    return ran.err;
  }

  remove(name: string): Promise<Ran> {
    return this.servers.run(["rm", name]);
  }

  async stat(name: string): Promise<StatJson> {
    return JSON.parse((await this.servers.done("stat", "--json", name)).out) as StatJson;
  }

  async list(): Promise<string[]> {
    return (await this.servers.done("list")).out.split("\n").filter((line) => line !== "");
  }

  async repairOnce(...flags: string[]): Promise<RepairSums> {
    const ran = await this.servers.run(["repair", "--json", "--orphan-age", "0", ...flags]);
    try {
      return JSON.parse(ran.out) as RepairSums;
    } catch {
      throw new Failure(`repair ends with ${ran.status}: ${ran.err}`);
    }
  }

  /** Repairs until there is nothing left to do, which must come soon; resolves to the sums. */
  async repair(): Promise<RepairSums> {
    let total: RepairSums | null = null;
    for (let round = 0; round < 4; round++) {
      const done = await this.repairOnce();
      if (done.names.length === 0) return total ?? done;
      total ??= done;
      if (done.lost > 0) break;
    }
    const last = await this.repairOnce("--dry-run");
    if (last.names.length === 0) return total ?? last;
    throw new Failure("repair finds something to do again and again", [JSON.stringify(last)]);
  }

  /**
   * Repairs, ends the servers and counts what lies on their disks: exactly these files, each piece at its homes. Throws a
   * Failure for all else.
   */
  async count(expected: ReadonlyMap<string, Uint8Array>): Promise<Count> {
    for (let tries = 1; ; tries++) {
      await this.repair();
      await this.servers.stop();
      const { count, wrong, portrait } = countOnDisk(this.servers, expected);
      if (wrong.length === 0) return count;
      if (tries === 3 || !wrong.every(isHalfRemoved))
        throw new Failure(`${wrong.length} things are not as they should be on disk: ${wrong[0]}`, [
          ...wrong,
          ...portrait,
        ]);
      await this.servers.start();
    }
  }

  /** Each piece must be on two servers; resolves to the stat. */
  async mustHaveTwoCopies(name: string, when: string): Promise<StatJson> {
    const stat = await this.stat(name);
    for (const { piece, servers } of stat.pieces)
      if (new Set(servers).size < 2)
        throw new Failure(`${when}: piece ${piece} of ${name} is only on ${servers.join(", ")}`);
    if (stat.incomplete) throw new Failure(`${when}: ${name} is incomplete`);
    return stat;
  }
}
