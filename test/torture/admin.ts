/** The commands that change who makes a cluster, each brought to its end, whatever becomes of it on the way. */
import type { Rng } from "../sim/random.ts";
import type { ServerProcess } from "./server_process.ts";
import type { Ran, Servers } from "./servers.ts";
import { Failure, type Stage } from "./stage.ts";

/** What may come between a command and its end. */
export interface Trouble {
  /** Is something else going on, so that a command may rightly fail, and is to be tried again? */
  readonly isRough: boolean;
  /** The chance that a command is killed in its middle. */
  readonly cuts: number;
}

/** What `server list --json` says. */
interface Members {
  readonly epoch: number;
  readonly isChanging: boolean;
  readonly servers: readonly { readonly name: string; readonly id: string | null }[];
}

const TRIES = 30;
const CUT_MS = 700;
const PAUSE_MS = 300;
/** A repair may give up on a name that others write all the time. */
const BUSY = /not repaired: not all could be done/;
/** A put that began before its server was to go ended after: the line says what to do, and the command is run again. */
const JUST_COME = [
  /lie on \S+ alone: dfs-tool repair moves them/,
  /cannot be removed yet \([1-9]\d* pieces? lies? on it\)/,
  /[1-9]\d* pieces? still lies? on /,
];
/** How commands may rightly end, in rough weather. */
const EXCUSES = [
  ...JUST_COME,
  /somebody else changes the servers at this moment/,
  /is a member of the cluster already/,
  /the cluster has no server/,
  /is no member of the cluster any more/,
  /is there with its folder/,
  /cannot be removed yet/,
  /files? cannot be had without/,
  /does not answer in time/,
  /too few servers answer/,
  /does not answer/,
  /the connection broke/,
  /not repaired/,
  /not moved/,
  /cannot be had/,
];

export class Admin {
  /** What there is of trouble now. */
  trouble: Trouble = { isRough: false, cuts: 0 };
  commands = 0;
  killed = 0;
  /** Commands that had to be run once more. */
  again = 0;
  readonly #stage: Stage;
  readonly #rng: Rng;
  readonly #servers: Servers;
  /** A dfc.conf that knows of the first servers only. */
  readonly #old: string;

  constructor(stage: Stage, servers: Servers, old: string) {
    this.#stage = stage;
    this.#rng = stage.rng.fork("admin");
    this.#servers = servers;
    this.#old = old;
  }

  add(server: ServerProcess): Promise<void> {
    const { name } = server;
    return this.#bring(["server", "add", name, addressOf(server)], async () =>
      (await this.#settled())?.servers.some((one) => one.name === name),
    );
  }

  rebalance(): Promise<void> {
    return this.#bring(["rebalance"], async (ran) => ran?.status === 0);
  }

  repair(): Promise<void> {
    return this.#bring(["repair", "--orphan-age", "0"], async (ran) => ran?.status === 0);
  }

  async remove({ name }: ServerProcess): Promise<void> {
    const isGone = async () =>
      (await this.#settled())?.servers.every((one) => one.name !== name) ?? false;
    for (let tries = 1; !(await isGone()); tries++) {
      this.#count(tries, `server remove ${name}`);
      const drained = await this.#run(["server", "drain", name]);
      if (drained?.status === 0) await this.#run(["server", "remove", name]);
      else await Bun.sleep(this.#rng.int(PAUSE_MS));
    }
  }

  /** An empty server is where this one was. */
  async replace(server: ServerProcess, before: string | null): Promise<void> {
    const { name } = server;
    await this.#bring(["server", "replace", name, addressOf(server)], async () =>
      (await this.#settled())?.servers.some(({ name: one, id }) => one === name && id !== before),
    );
    await this.repair();
  }

  /** What the cluster says that this server's id is. */
  async idOf({ name }: ServerProcess): Promise<string | null> {
    const members = await this.members();
    return members.servers.find((one) => one.name === name)?.id ?? null;
  }

  async members(): Promise<Members> {
    return JSON.parse((await this.#servers.done("server", "list", "--json")).out) as Members;
  }

  /** The members, when they are not changing. */
  async #settled(): Promise<Members | null> {
    const members = await this.members();
    return members.isChanging ? null : members;
  }

  /** Runs a command until what it is for is so. */
  async #bring(
    args: readonly string[],
    isDone: (ran: Ran | null) => Promise<boolean | undefined>,
  ): Promise<void> {
    for (let tries = 1; ; tries++) {
      this.#count(tries, args.join(" "));
      if (await isDone(await this.#run(args))) return;
      await Bun.sleep(this.#rng.int(PAUSE_MS));
    }
  }

  #count(tries: number, what: string): void {
    if (tries > 1) this.again++;
    if (tries > TRIES) throw new Failure(`${what} does not come to its end in ${TRIES} tries`);
  }

  /** Runs a command once; null when it was killed. Throws a Failure where it ends as it never should. */
  async #run(args: readonly string[]): Promise<Ran | null> {
    const { isRough, cuts } = this.trouble;
    const config = this.#rng.chance(0.5) ? ["--config", this.#old] : [];
    const command = this.#servers.begin([...args, ...config]);
    this.commands++;
    if (this.#rng.chance(cuts)) {
      await Bun.sleep(this.#rng.int(CUT_MS));
      command.kill();
    }
    const ran = await command.ended;
    this.#stage.check();
    if (ran.status === 137) {
      this.killed++;
      // What was begun is finished by a repair, or by the command when it is run again.
      if (this.#rng.chance(0.3)) await this.repair();
      return null;
    }
    const said = `${ran.out}${ran.err}`.split("\n").filter((line) => !line.includes("warning: "));
    const excuses = isRough ? EXCUSES : [BUSY, ...JUST_COME];
    const isExcused = excuses.some((excuse) => said.some((line) => excuse.test(line)));
    if (ran.status === 0 || (isExcused && !ran.err.includes("bug: "))) return ran;
    throw new Failure(`${args.join(" ")} ends with ${ran.status}: ${ran.out}${ran.err}`);
  }
}

const addressOf = ({ host, port }: ServerProcess): string => `${host}:${port}`;
