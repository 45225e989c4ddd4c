/** Who fills a golden store: a user at a computer, who notes what must be read back. Used by make.ts. */
import { createHash } from "node:crypto";
import { chmodSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Computer, lineOf } from "../acceptance/computer.ts";
import { pattern } from "../harness/folder.ts";
import { expectDone, type ServerProcess, type StatJson } from "../harness/stage.ts";
import type { GoldenFile, GoldenSpace } from "./fixture.ts";

const MAIN = join(import.meta.dir, "../../src/main.ts");
const OLD_NAMES = join(import.meta.dir, "old_names.ts");
/** 2001-02-03T04:05:06.789Z: the time of the first file; each further one is a day later. */
const FIRST_MS = 981_173_106_789;
const DAY_MS = 86_400_000;
const MODES = [0o644, 0o640, 0o755, 0o600];

interface Person {
  readonly user: string;
  readonly password: string;
}

interface Put {
  readonly layout?: string;
  /** Does a program of before put it, which takes more names? */
  readonly before?: boolean;
}

export class Writer {
  readonly #person: Person;
  readonly #computer: Computer;
  readonly #files = new Map<string, Pick<GoldenFile, "sha256" | "mode">>();
  readonly #folders = new Set<string>();
  readonly #absent = new Set<string>();
  #count = 0;

  constructor(servers: readonly ServerProcess[], person: Person) {
    this.#person = person;
    const { user, password } = person;
    this.#computer = new Computer(servers, user === "" ? "" : lineOf(user, password));
  }

  /** Puts so many bytes, which no other put has. */
  async put(name: string, bytes: number, { layout = "pairs", before = false }: Put = {}) {
    const n = this.#count++;
    const data = pattern(bytes, 31 * n + this.#person.user.length);
    const mode = MODES[n % MODES.length] ?? 0;
    const path = join(this.#computer.folder, "out");
    writeFileSync(path, data);
    chmodSync(path, mode);
    const seconds = (FIRST_MS + n * DAY_MS) / 1000;
    utimesSync(path, seconds, seconds);
    const args = ["put", "--name", name, "--layout", layout, "out"];
    if (before) this.#before(args);
    else expectDone(await this.#computer.dfs(...args));
    const sha256 = createHash("sha256").update(data).digest("hex");
    this.#files.set(name, { sha256, mode });
    this.#absent.delete(name);
  }

  /** Runs the client of before. */
  #before(args: readonly string[]): void {
    const command = [process.execPath, "--preload", OLD_NAMES, MAIN, ...args];
    const { folder } = this.#computer;
    const { success, stderr } = Bun.spawnSync(command, { cwd: folder });
    if (!success) throw new Error(String(stderr));
  }

  async remove(name: string): Promise<void> {
    expectDone(await this.#computer.dfs("rm", name));
    this.#files.delete(name);
    this.#folders.delete(name);
    this.#absent.add(name);
  }

  async makeFolder(name: string): Promise<void> {
    expectDone(await this.#computer.dfs("mkdir", name));
    this.#folders.add(name);
  }

  async repair(): Promise<void> {
    expectDone(await this.#computer.dfs("repair"));
  }

  /** Notes a name that nobody has put. */
  noteAbsent(name: string): void {
    this.#absent.add(name);
  }

  async versionOf(name: string): Promise<string> {
    return (await this.#stat(name)).version;
  }

  async #stat(name: string): Promise<StatJson & { readonly modified: string }> {
    const ran = await this.#computer.dfs("stat", "--json", "--", name);
    expectDone(ran);
    return JSON.parse(ran.out) as StatJson & { readonly modified: string };
  }

  /** What must be read back. */
  async space(): Promise<GoldenSpace> {
    const files: GoldenFile[] = [];
    for (const [name, { sha256, mode }] of this.#files) {
      const { bytes, modified, layout, version, seq } = await this.#stat(name);
      files.push({ name, bytes, sha256, modified, mode, layout, version, seq });
    }
    return { ...this.#person, files, folders: [...this.#folders], absent: [...this.#absent] };
  }
}
