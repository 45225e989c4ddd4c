/** A real server: a process of the built executable, on a folder of its own. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { Rng } from "../sim/random.ts";
import { usersFlags } from "./person.ts";
import { Failure, type Stage } from "./stage.ts";

/** The executable. */
export const tool = join(import.meta.dir, "../../dist/dfs-tool");

/** Below the ports that a kernel gives to clients: one of those must not take the port of a server that is down for a moment. */
const PORTS = [10_000, 32_000] as const;
const START_TRIES = 50;
const START_MS = 20_000;

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
    const { person, folder } = this.#stage;
    // With users it speaks TLS where others can reach it, and needs no leave to listen there.
    const how = person ? flags.filter((flag) => flag !== "--insecure") : flags;
    const users = usersFlags(folder, person);
    const child = Bun.spawn([...launcher, tool, "serve", ...where, ...how, ...repair, ...users], {
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

  /** Removes all that it has stored; it must have ended. */
  wipe(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  freeze(): void {
    process.kill(this.pid, "SIGSTOP");
  }

  thaw(): void {
    process.kill(this.pid, "SIGCONT");
  }
}
