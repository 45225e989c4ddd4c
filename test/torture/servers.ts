/** The servers of a cluster, each a process on a folder of its own; and commands against them. */
import { existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ServerAddress } from "../../src/membership.ts";
import { linesOf, type Person } from "./person.ts";
import { type ServerOptions, ServerProcess, tool } from "./server_process.ts";
import { Failure, type Stage } from "./stage.ts";

const RUN_MS = 120_000;

/** What a command did. */
export interface Ran {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

/** The servers of one cluster, in the order of its dfc.conf. */
export class Servers {
  readonly config: string;
  readonly #stage: Stage;
  readonly #optionsOf: (slot: number) => ServerOptions;
  #all: ServerProcess[] = [];
  #made = 0;
  #folders = 0;

  /** None is started yet. */
  constructor(stage: Stage, optionsOf: (slot: number) => ServerOptions = () => ({}), size = 4) {
    if (!existsSync(tool)) throw new Error(`${tool} is not there: run bun build.ts first`);
    this.#stage = stage;
    this.#optionsOf = optionsOf;
    this.config = join(this.newFolder(), "dfc.conf");
    while (this.#made < size) this.enlist();
    stage.watch(() => this.check());
  }

  /** Whose files they hold. */
  get person(): Person | null {
    return this.#stage.person;
  }

  get all(): readonly ServerProcess[] {
    return this.#all;
  }

  /** One more server, a new one where none is given; it is not started yet. */
  enlist(server: ServerProcess = this.#make()): ServerProcess {
    this.#all = [...this.#all, server];
    return server;
  }

  #make(): ServerProcess {
    const slot = this.#made++;
    const options = this.#optionsOf(slot);
    const folder = options.folder ?? join(this.newFolder(), `dfs${slot + 1}`);
    return new ServerProcess(this.#stage, `DFS${slot + 1}`, this.config, { ...options, folder });
  }

  /** Ends a server for good, and removes all that it has stored. */
  async dismiss(server: ServerProcess): Promise<void> {
    this.check();
    this.#all = this.#all.filter((one) => one !== server);
    this.#writeConfig();
    await server.stop();
    server.wipe();
  }

  /** Whole at every moment: servers read it when they like. */
  #writeConfig(): void {
    const path = `${this.config}.new`;
    const lines = configOf(this.addresses) + linesOf(this.#stage.person);
    writeFileSync(path, lines, { mode: 0o600 });
    renameSync(path, this.config);
  }

  /** Starts those that are not up, or some of them. */
  async start(slots: readonly number[] = this.slots): Promise<void> {
    // They may read it themselves, and only a port that was taken changes it.
    this.#writeConfig();
    const down = slots.map((slot) => this.at(slot)).filter((server) => !server.isUp);
    await Promise.all(down.map((server) => server.start()));
    this.#writeConfig();
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
