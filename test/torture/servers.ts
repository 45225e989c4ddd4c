/** Real servers: processes of the built executable, each on a folder of its own; and commands against them. */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ServerAddress } from "../../src/client/peer.ts";
import type { Rng } from "../sim/random.ts";
import { Failure, type Stage } from "./stage.ts";

const tool = join(import.meta.dir, "../../dist/dfs-tool");

/** Below the ports that a kernel gives to clients: one of those must not take the port of a server that is down for a moment. */
const PORTS = [10_000, 32_000] as const;
const START_TRIES = 50;
const START_MS = 20_000;
const RUN_MS = 120_000;

export interface ServerOptions {
  /** What starts the program, such as `ip netns exec NAME`. */
  readonly launcher?: readonly string[];
  readonly flags?: readonly string[];
  /** Seconds between repairs that the server makes by itself; 0 is never. */
  readonly repairs?: number;
  readonly host?: string;
  readonly folder?: string;
}

export class ServerProcess {
  readonly name: string;
  readonly folder: string;
  readonly host: string;
  port: number;
  /** What it said on stderr, in all its lives. */
  said = "";
  /** How it ended by itself, if it did. */
  fault: string | null = null;
  readonly #stage: Stage;
  readonly #rng: Rng;
  readonly #options: ServerOptions;
  readonly #config: string;
  #child: Bun.Subprocess<"ignore", "ignore", "pipe"> | null = null;

  constructor(stage: Stage, name: string, config: string, options: ServerOptions) {
    this.#stage = stage;
    this.#config = config;
    this.#rng = stage.rng.fork(name);
    this.#options = options;
    this.name = name;
    this.folder = options.folder ?? join(stage.folder, name.toLowerCase());
    this.host = options.host ?? "127.0.0.1";
    this.port = this.#rng.between(...PORTS);
  }

  get isUp(): boolean {
    return this.#child !== null;
  }

  get pid(): number {
    if (!this.#child) throw new Error(`${this.name} does not run`);
    return this.#child.pid;
  }

  /** Starts it, on the port that it had before; resolves once it serves. Throws a Failure when it refuses to. */
  async start(): Promise<void> {
    const isFirst = this.said === "";
    for (let tries = 1; ; tries++) {
      const refusal = await this.#startOnce();
      if (refusal === null) return;
      const isTaken = refusal.includes("cannot listen");
      if (!isTaken || tries === START_TRIES)
        throw new Failure(`${this.name} does not start: ${refusal}`);
      if (isFirst) this.port = this.#rng.between(...PORTS);
      else await Bun.sleep(100);
    }
  }

  /** Why it did not start; null when it did. */
  async #startOnce(): Promise<string | null> {
    const { launcher = [], flags = ["--trash-grace", "0"], repairs = 0 } = this.#options;
    const where = [this.folder, String(this.port), "--host", this.host];
    const repair = ["--config", this.#config, "--repair-interval", String(repairs)];
    const child = Bun.spawn([...launcher, tool, "serve", ...where, ...flags, ...repair], {
      cwd: this.#stage.folder,
      env: { PATH: process.env.PATH ?? "", HOME: this.#stage.folder },
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#child = child;
    this.#stage.own(child);
    const ready = Promise.withResolvers<string | null>();
    void child.exited.then((status) => {
      if (this.#child !== child) return;
      this.#child = null;
      this.fault = `ended by itself (exit status ${status})`;
    });
    void this.#listen(child.stderr, ready);
    const late = setTimeout(() => {
      ready.resolve(`it neither serves nor ends within ${START_MS} ms: ${this.said.slice(-300)}`);
      child.kill("SIGKILL");
    }, START_MS);
    const refusal = await ready.promise;
    clearTimeout(late);
    if (refusal !== null) {
      await child.exited;
      this.fault = null;
    }
    return refusal;
  }

  async #listen(
    stderr: ReadableStream<Uint8Array<ArrayBuffer>>,
    ready: PromiseWithResolvers<string | null>,
  ) {
    let said = "";
    for await (const part of stderr.pipeThrough(new TextDecoderStream())) {
      said += part;
      this.said += part;
      if (/ on \S+:\d+ \(.*\n/.test(said)) ready.resolve(null);
    }
    ready.resolve(said.trim() || "it says nothing");
  }

  /** SIGKILL: it gets no chance to do anything more. */
  kill(): Promise<unknown> {
    return this.#end("SIGKILL");
  }

  /** SIGTERM: it ends in order. */
  stop(): Promise<unknown> {
    return this.#end("SIGTERM");
  }

  #end(signal: "SIGKILL" | "SIGTERM"): Promise<unknown> {
    const child = this.#child;
    this.#child = null;
    child?.kill(signal);
    return child?.exited ?? Promise.resolve();
  }

  /** Did it end by itself, with these as its last words? Then that is no fault. */
  endedSaying(why: RegExp): boolean {
    const isSo = this.fault !== null && why.test(this.said.trimEnd().split("\n").at(-1) ?? "");
    if (isSo) this.fault = null;
    return isSo;
  }

  freeze(): void {
    process.kill(this.pid, "SIGSTOP");
  }

  thaw(): void {
    process.kill(this.pid, "SIGCONT");
  }
}

/** What a command did. */
export interface Ran {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

/** The servers of one cluster, in the order of its dfc.conf. */
export class Servers {
  readonly all: readonly ServerProcess[];
  readonly config: string;
  readonly #stage: Stage;
  #folders = 0;

  /** `flagsOf` gives each server's options; none is started yet. */
  constructor(stage: Stage, optionsOf: (slot: number) => ServerOptions = () => ({}), size = 4) {
    if (!existsSync(tool)) throw new Error(`${tool} is not there: run bun build.ts first`);
    this.#stage = stage;
    this.config = join(this.newFolder(), "dfc.conf");
    this.all = Array.from({ length: size }, (_, slot) => {
      const options = optionsOf(slot);
      const folder = options.folder ?? join(this.newFolder(), `dfs${slot + 1}`);
      return new ServerProcess(stage, `DFS${slot + 1}`, this.config, { ...options, folder });
    });
    stage.watch(() => this.check());
  }

  /** Starts those that are not up, or some of them. */
  async start(slots: readonly number[] = this.slots): Promise<void> {
    // They may read it themselves, and only a port that was taken changes it.
    writeFileSync(this.config, configOf(this.addresses));
    const down = slots.map((slot) => this.at(slot)).filter((server) => !server.isUp);
    await Promise.all(down.map((server) => server.start()));
    writeFileSync(this.config, configOf(this.addresses));
  }

  get slots(): number[] {
    return [...this.all.keys()];
  }

  at(slot: number): ServerProcess {
    const server = this.all[slot];
    if (!server) throw new Error(`there is no server ${slot}`);
    return server;
  }

  get addresses(): ServerAddress[] {
    return this.all.map(({ name, host, port }) => ({ name, host, port }));
  }

  /** Throws when a server ended that nobody killed. */
  check(): void {
    for (const { name, fault, said } of this.all)
      if (fault !== null || said.includes("unexpected error"))
        throw new Failure(`${name} ${fault ?? "met with a bug"}`, said.split("\n").slice(-20));
  }

  newFolder(): string {
    const path = join(
      this.#stage.folder,
      `${this.#stage.rng.u32().toString(36)}-${this.#folders++}`,
    );
    mkdirSync(path);
    return path;
  }

  /** Runs a command against this cluster to its end; throws a Failure when it does not come to one. */
  run(args: readonly string[], cwd = this.#stage.folder): Promise<Ran> {
    return this.begin(args, cwd).ended;
  }

  begin(args: readonly string[], cwd = this.#stage.folder) {
    const begun = performance.now();
    const child = Bun.spawn([tool, ...args], {
      cwd,
      env: { PATH: process.env.PATH ?? "", HOME: cwd, DFS_CONFIG: this.config },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#stage.own(child);
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      child.kill("SIGKILL");
    }, RUN_MS);
    const end = async (): Promise<Ran> => {
      const said = [new Response(child.stdout).text(), new Response(child.stderr).text()];
      const [status, out = "", err = ""] = await Promise.all([child.exited, ...said]);
      clearTimeout(timer);
      const ms = Math.round(performance.now() - begun);
      this.#stage.note(`${args.join(" ")} → ${status} in ${ms} ms ${out}${err}`.trimEnd());
      if (isLate) throw new Failure(`${args.join(" ")} does not end within ${RUN_MS} ms`);
      return { status, out, err };
    };
    return { kill: () => child.kill("SIGKILL"), ended: end() };
  }

  /** Runs a command that must end well. */
  async done(...args: string[]): Promise<Ran> {
    const ran = await this.run(args);
    if (ran.status === 0) return ran;
    throw new Failure(`${args.join(" ")} ends with ${ran.status}: ${ran.out}${ran.err}`);
  }

  /** Runs `work` with the servers in these slots down. */
  async without<T>(slots: readonly number[], work: () => Promise<T>): Promise<T> {
    await Promise.all(slots.map((slot) => this.at(slot).kill()));
    const result = await work();
    await this.start(slots);
    return result;
  }

  /** Ends all servers in order, so that what they leave can be looked at. */
  async stop(): Promise<void> {
    this.check();
    await Promise.all(this.all.map((server) => server.stop()));
  }
}

const configOf = (servers: readonly ServerAddress[]): string =>
  servers.map(({ name, host, port }) => `Server ${name} ${host}:${port}\n`).join("");
