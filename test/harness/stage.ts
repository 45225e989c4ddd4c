/** Real servers for a test: processes of the built executable, each on a folder below one home, and clients of them. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { executable, newFolder, type Ran, removeFolders, run } from "./program.ts";
import { mountDisk } from "../acceptance/small_disks.ts";
import { loginLines, writeOwned, writeUsers } from "./password.ts";

const SAMPLE_MS = 5;

/** All that are running: whatever becomes of the tests, none outlives them. */
const running = new Set<Bun.Subprocess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
  removeFolders();
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
  process.on(signal, () => process.exit(1));

export interface ServerOptions {
  /** What starts the program, as `nsenter …` before it. */
  readonly launcher?: readonly string[];
  readonly program?: string;
  /** Any free one where none is given; it stays the same in all lives of the server. */
  readonly port?: number;
  /** Its file of users; null: it knows none. Where nothing is said there is one if the tests run with a password. */
  readonly users?: string | null;
  /** The address to listen on; that of this machine alone where none is given. */
  readonly host?: string;
}

export class ServerProcess {
  readonly name: string;
  readonly folder: string;
  /** Its file of users. */
  readonly users: string | null;
  readonly #command: readonly string[];
  #child: Bun.Subprocess<"ignore", "ignore", "pipe"> | null = null;
  #port: number;
  /** What it said on stderr, in all its lives. */
  said = "";

  constructor(folder: string, options: ServerOptions) {
    const { launcher = [], program = executable, port = 0, host } = options;
    const { users = writeUsers(dirname(folder)) } = options;
    this.name = basename(folder).toUpperCase();
    this.folder = folder;
    this.users = users;
    const how = [...(users === null ? [] : ["--users", users]), ...(host ? ["--host", host] : [])];
    this.#command = [...launcher, program, "serve", ...how, folder];
    this.#port = port;
  }

  get port(): number {
    return this.#port;
  }

  /** The same server on another folder, at a port of its own. */
  twin(folder: string): ServerProcess {
    return new ServerProcess(folder, {});
  }

  get pid(): number {
    if (!this.#child) throw new Error(`${this.name} does not run`);
    return this.#child.pid;
  }

  /** Starts it, on the port that it had before; resolves when it says that it is ready. */
  async start(): Promise<void> {
    const child = Bun.spawn([...this.#command, String(this.#port)], {
      cwd: join(this.folder, ".."),
      env: { PATH: process.env.PATH ?? "", HOME: join(this.folder, "..") },
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#child = child;
    running.add(child);
    void child.exited.then(() => running.delete(child));
    const ready = Promise.withResolvers<void>();
    void this.#listen(child.stderr, ready);
    await ready.promise;
  }

  async #listen(stderr: ReadableStream<Uint8Array>, ready: PromiseWithResolvers<void>) {
    const decoder = new TextDecoder();
    let said = "";
    for await (const bytes of stderr) {
      const part = decoder.decode(bytes, { stream: true });
      said += part;
      this.said += part;
      const [, port] = / on \S+:(\d+) \(.*\n/.exec(said) ?? [];
      if (port === undefined) continue;
      this.#port = Number(port);
      ready.resolve();
    }
    ready.reject(new Error(`${this.name} did not start: ${said.trim()}`));
  }

  /** SIGKILL: it gets no chance to do anything more. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    child?.kill("SIGKILL");
    await child?.exited;
  }

  /** SIGTERM; resolves to its exit status and how long it took. */
  async terminate(): Promise<{ status: number; seconds: number }> {
    const child = this.#child;
    if (!child) throw new Error(`${this.name} does not run`);
    const asked = performance.now();
    child.kill("SIGTERM");
    const status = await child.exited;
    this.#child = null;
    return { status, seconds: (performance.now() - asked) / 1000 };
  }

  freeze(): void {
    process.kill(this.pid, "SIGSTOP");
  }

  thaw(): void {
    process.kill(this.pid, "SIGCONT");
  }

  /** Is it the same process as ever? */
  get isUp(): boolean {
    return this.#child?.exitCode === null && this.#child.signalCode === null;
  }

  get memory(): { now: number; peak: number } {
    return memoryOf(this.pid);
  }
}

/** Bytes of memory of a process: resident now, and at its peak. Linux only. */
function memoryOf(pid: number): { now: number; peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const bytes = (field: string) =>
    1024 * Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]);
  return { now: bytes("VmRSS"), peak: bytes("VmHWM") };
}

/** A process's peak memory in bytes, looked at until it ends, for the peak itself never falls. */
export async function peakOf(child: Bun.Subprocess): Promise<number> {
  let peak = 0;
  while (child.exitCode === null && child.signalCode === null) {
    try {
      // An exiting process has no memory any more.
      peak = Math.max(peak, memoryOf(child.pid).peak || 0);
    } catch {
      break;
    }
    await Bun.sleep(SAMPLE_MS);
  }
  return peak;
}

export interface StageOptions extends ServerOptions {
  /** Further lines of dfc.conf. */
  readonly more?: string;
  /** The sizes of the servers' disks, each a disk of its own; see small_disks.ts. */
  readonly disksMib?: readonly number[];
}

/** A cluster: its servers in the order of dfc.conf, and a folder for the clients' files. */
export class Stage {
  readonly home: string;
  readonly servers: readonly ServerProcess[];
  readonly config: string;

  private constructor(home: string, servers: readonly ServerProcess[], more: string) {
    this.home = home;
    this.servers = servers;
    this.config = join(home, "dfc.conf");
    writeOwned(this.config, configOf(servers) + more);
  }

  /** Servers DFS1, DFS2, …. */
  static async open(size: number, options: StageOptions = {}): Promise<Stage> {
    const home = newFolder();
    const folders = Array.from({ length: size }, (_, i) => join(home, `dfs${i + 1}`));
    for (const [i, mib] of (options.disksMib ?? []).entries()) mountDisk(folders[i] ?? "", mib);
    const servers = folders.map((folder) => new ServerProcess(folder, options));
    await Promise.all(servers.map((server) => server.start()));
    return new Stage(home, servers, options.more ?? "");
  }

  server(slot: number): ServerProcess {
    const server = this.servers[slot];
    if (!server) throw new Error(`there is no server ${slot + 1}`);
    return server;
  }

  /** A client in the home of this cluster. */
  dfs(...args: string[]): Promise<Ran> {
    return this.dfsIn(this.home, ...args);
  }

  /** A client in another folder. */
  dfsIn(cwd: string, ...args: string[]): Promise<Ran> {
    return run(args, { cwd, env: { DFS_CONFIG: this.config } });
  }

  /** Stores bytes under a name; throws unless that goes well. */
  async put(name: string, bytes: Uint8Array): Promise<void> {
    const path = join(newFolder(), "file");
    writeFileSync(path, bytes);
    expectDone(await this.dfs("put", "--name", name, "--", path));
  }

  /** The bytes of a name; throws unless that goes well. */
  async get(name: string): Promise<Buffer> {
    const path = join(newFolder(), "file");
    expectDone(await this.dfs("get", "-o", path, "--", name));
    const bytes = readFileSync(path);
    rmSync(path);
    return bytes;
  }

  /** What stat tells; throws where what it says of servers and what it says of pieces differ. */
  async stat(name: string): Promise<StatJson> {
    const ran = await this.dfs("stat", "--json", "--", name);
    expectDone(ran);
    const told = JSON.parse(ran.out) as StatJson;
    for (const { piece, servers } of told.pieces) {
      const holders = told.servers.filter(({ pieces }) => pieces.includes(piece));
      const names = holders.map((one) => one.name).join();
      if (names !== servers.join()) throw new Error(`piece ${piece} of ${name}: ${ran.out}`);
    }
    return told;
  }

  /** Runs `work` with the servers in these slots killed, and has them back after it. */
  async without<T>(slots: readonly number[], work: () => Promise<T>): Promise<T> {
    const lost = slots.map((slot) => this.server(slot));
    await Promise.all(lost.map((server) => server.kill()));
    try {
      return await work();
    } finally {
      await Promise.all(lost.map((server) => server.start()));
    }
  }

  /** Ends all servers. */
  async close(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.kill()));
  }
}

/** What the tests take from `stat --json`. */
export interface StatJson {
  readonly version: string;
  readonly seq: number;
  readonly bytes: number;
  readonly x: number;
  readonly layout: string;
  readonly incomplete: boolean;
  readonly servers: readonly { name: string; up: boolean; pieces: number[] }[];
  readonly pieces: readonly { piece: number; servers: string[] }[];
}

/** The lines of a dfc.conf, which is written with `writeOwned`; `who` are those of its user. */
export const configOf = (
  servers: readonly Pick<ServerProcess, "name" | "port">[],
  host = "127.0.0.1",
  who = loginLines,
): string => servers.map(({ name, port }) => `Server ${name} ${host}:${port}\n`).join("") + who;

/** Throws what a client said, unless its exit status is 0. */
export function expectDone({ status, out, err }: Ran): void {
  if (status !== 0) throw new Error(`exit status ${status}: ${out}${err}`);
}

/** Writes files into a new folder, which is returned. */
export function folderOf(files: Readonly<Record<string, Uint8Array>>): string {
  const folder = newFolder();
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder, name), bytes);
  return folder;
}

/** The names of those files that differ in two folders, or are not in both. */
export function differences(names: readonly string[], one: string, other: string): string[] {
  const isSame = (name: string): boolean => {
    const paths = [join(one, name), join(other, name)] as const;
    if (!paths.every((path) => existsSync(path))) return false;
    return readFileSync(paths[0]).equals(readFileSync(paths[1]));
  };
  return names.filter((name) => !isSame(name));
}

/** Empties a folder. */
export function empty(folder: string): void {
  rmSync(folder, { recursive: true });
  mkdirSync(folder);
}
