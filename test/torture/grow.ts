/** A cluster grows, shrinks and gets new disks while clients with an old dfc.conf read and write. */
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { Admin } from "./admin.ts";
import { NOTHING } from "./client.ts";
import { now } from "./clock.ts";
import { Commands } from "./commands.ts";
import { HEAD_BYTES } from "./contents.ts";
import { Crowd, type Deed, lineOf, tallyOf, timesOf } from "./crowd.ts";
import { checkHistories } from "./history.ts";
import { Outages } from "./outages.ts";
import type { ServerProcess } from "./server_process.ts";
import { Servers } from "./servers.ts";
import { Failure, type Scenario, type Stage } from "./stage.ts";
import { lastRead, readAll } from "./storm.ts";

const NAMES = ["a", "b", "c", "d/e", "f"];
const CLIENTS = 4;
const MIX = { ...NOTHING, put: 4, putNew: 1, cas: 2, rm: 1, get: 9, list: 1 };
const PAUSE_MS = 30;
/** Pieces in the catalog, and pieces in files. */
const BYTES: [number, number][] = [
  [HEAD_BYTES, 5000],
  [HEAD_BYTES, 60_000],
  [70_000, 700_000],
];
/** A cluster has had 120 servers at most, and each cycle brings three. */
const CYCLES_MOST = 30;
/** Longer than all cycles together. */
const LONG_MS = 3_600_000;
/** How things end when nothing fails. */
const RIGHT = new Set(["done", "noSuchName", "conflict"]);
/** For readers that have begun. */
const FLAGS = ["--trash-grace", "5"];

export const grow: Scenario = {
  name: "grow",
  async play(stage) {
    const run = new Growth(stage, stage.rng.chance(0.3) ? 1 : 0);
    await run.begin();
    const until = now() + stage.size(70_000, 0);
    let cycles = 0;
    do {
      await run.cycle(++cycles);
    } while (now() < until && cycles < CYCLES_MOST);
    return `${cycles} cycles, ${await run.end()}`;
  },
};

/** May it fail so, with so many servers away? */
function mayEndSo({ order, outcome }: Deed, away: number): boolean {
  if (away > 1) return true;
  // The one that is away may be the only one that an old dfc.conf leads to.
  if (away === 1 && outcome === "failed") return true;
  const isRead = order.do === "get" || order.do === "list";
  // What others did to the same name meanwhile may leave it open what became of a write.
  return !isRead && (away > 0 || outcome === "open");
}

/**
 * Rebalance puts a file anew, with the same content: a write on condition of the version before conflicts with that, though
 * nothing that the history knows of has changed.
 */
const isTelling = ({ order, outcome }: Deed): boolean =>
  order.do !== "putIf" || order.expected === 0 || outcome !== "conflict";

class Growth {
  readonly #stage: Stage;
  readonly #servers: Servers;
  readonly #admin: Admin;
  readonly #crowd: Crowd;
  readonly #names: readonly string[];
  readonly #repairs: number;
  /** The first four: one of them is always there, so that an old dfc.conf leads to the cluster. */
  readonly #first: readonly ServerProcess[];
  /** Servers that were removed: they may come back, empty. */
  readonly #former: ServerProcess[] = [];
  readonly #outages: Outages;
  #begun = 0;
  #isRough = false;

  constructor(stage: Stage, repairs: number) {
    this.#stage = stage;
    this.#repairs = repairs;
    this.#names = stage.size(NAMES, NAMES.slice(0, 3));
    this.#servers = new Servers(stage, () => ({ flags: FLAGS, repairs }));
    this.#first = this.#servers.all;
    this.#admin = new Admin(stage, this.#servers, join(stage.folder, "old.conf"));
    this.#crowd = new Crowd(stage, this.#servers);
    this.#outages = new Outages(stage);
  }

  async begin(): Promise<void> {
    await this.#servers.start();
    copyFileSync(this.#servers.config, join(this.#stage.folder, "old.conf"));
    await new Commands(this.#servers).list();
    this.#begun = now();
    for (let i = 0; i < CLIENTS; i++)
      this.#crowd.start({
        mix: MIX,
        names: this.#names,
        bytes: BYTES,
        layouts: ["pairs", "pairs", "rs:2+2"],
        reach: "all",
        until: this.#begun + LONG_MS,
        pauseMs: PAUSE_MS,
      });
  }

  /** Four servers become six, four again, and one of them another. */
  async cycle(number: number): Promise<void> {
    const { rng } = this.#stage;
    const cuts = rng.chance(0.5) ? 0.35 : 0;
    const isPaired = rng.chance(0.4);
    this.#isRough = rng.chance(0.5);
    this.#admin.trouble = { isRough: this.#isRough || isPaired || cuts > 0, cuts };
    this.#note(
      `cycle ${number}: commands are ${cuts > 0 ? "" : "not "}killed, ${isPaired ? "two at once" : "one after the other"}, servers are ${this.#isRough ? "" : "not "}killed`,
    );
    await this.#grow(isPaired);
    await this.#shrink(isPaired);
    await this.#replace(this.#oneToReplace());
    this.#note(`cycle ${number} is over`);
  }

  async #grow(atOnce: boolean): Promise<void> {
    const both = [this.#newServer(), this.#newServer()];
    await this.#servers.start();
    await this.#withBoth(atOnce, both, (server) => this.#add(server));
  }

  async #shrink(atOnce: boolean): Promise<void> {
    const both = this.#twoToGo();
    await this.#withBoth(atOnce, both, (server) => this.#remove(server));
    for (const server of both) {
      await this.#servers.dismiss(server);
      this.#former.push(server);
    }
  }

  /** Ends all work; what is there now must be what histories say, and nothing else. Resolves to the figures. */
  async end(): Promise<string> {
    const seconds = (now() - this.#begun) / 1000;
    this.#crowd.stop();
    await this.#crowd.ended();
    this.#checkCalm();
    const commands = new Commands(this.#servers);
    await commands.repair();
    await this.#mustSay(["rebalance"], /^(?:done: |nothing to move)/m);
    await this.#mustSay(["rebalance", "--dry-run"], /^nothing to move/);
    await commands.repair();
    readAll(this.#crowd, this.#names);
    await this.#crowd.ended();
    const deeds = this.#crowd.deeds();
    checkHistories(deeds.filter(isTelling), this.#names);
    const files = lastRead(this.#crowd, this.#names);
    await this.#mustSay(["verify"], /all good$/m);
    await this.#mustSay(["status"], /^HEALTHY/);
    for (const slot of this.#servers.slots)
      await this.#servers.without([slot], () =>
        commands.mustGetAll(files, `at the end, ${this.#servers.at(slot).name} dead`),
      );
    const { pieces } = await commands.count(files);
    return this.#figures(deeds, seconds, pieces);
  }

  #figures(deeds: readonly Deed[], seconds: number, pieces: number): string {
    const { commands, killed, again } = this.#admin;
    const perSecond = Math.round(deeds.length / seconds);
    return [
      `${commands} commands, ${killed} killed and ${again} run again`,
      `${this.#outages.count} outages, repairs by servers ${this.#repairs ? "on" : "off"}`,
      `${pieces} pieces at home`,
      `${deeds.length} operations, ${perSecond} a second: ${tallyOf(deeds)}`,
      `the middle and the longest: ${timesOf(deeds)}`,
    ].join("; ");
  }

  /** While one server is away no read may fail, and while none is no write. */
  #checkCalm(): void {
    const all = this.#crowd.deeds().filter(({ outcome }) => !RIGHT.has(outcome));
    const wrong = all.filter((deed) => {
      const away = this.#outages.within({ from: deed.invoked, until: deed.returned });
      this.#stage.note(`${away} away: ${lineOf(deed)}`);
      return !mayEndSo(deed, away);
    });
    if (wrong[0])
      throw new Failure(
        `${wrong.length} things failed that should not have: ${lineOf(wrong[0])}`,
        wrong.map(lineOf),
      );
  }

  async #mustSay(args: readonly string[], what: RegExp): Promise<void> {
    const { status, out, err } = await this.#servers.run(args);
    if (status !== 0 || !what.test(out))
      throw new Failure(`at the end ${args.join(" ")} ends with ${status}: ${out}${err}`);
  }

  #newServer(): ServerProcess {
    const isOld = this.#former.length > 0 && this.#stage.rng.chance(0.4);
    return this.#servers.enlist(isOld ? this.#former.shift() : undefined);
  }

  /** Two servers that can go; one of the first must stay. */
  #twoToGo(): ServerProcess[] {
    const { rng } = this.#stage;
    const { all } = this.#servers;
    for (;;) {
      const one = rng.pick(all);
      const two = [one, rng.pick(all.filter((server) => server !== one))];
      if (this.#isFound(all.filter((server) => !two.includes(server)))) return two;
    }
  }

  /** Does an old dfc.conf lead to the cluster by these servers? */
  #isFound(servers: readonly ServerProcess[]): boolean {
    return servers.some((server) => this.#first.includes(server));
  }

  /** A server that can lose its disk; until it has its place again the old dfc.conf must lead to another. */
  #oneToReplace(): ServerProcess {
    const { all } = this.#servers;
    const can = all.filter((server) => this.#isFound(all.filter((other) => other !== server)));
    return this.#stage.rng.pick(can);
  }

  /** Does this with both servers, at once or not. */
  async #withBoth(
    atOnce: boolean,
    both: readonly ServerProcess[],
    work: (server: ServerProcess) => Promise<void>,
  ): Promise<void> {
    const servers = this.#servers.all;
    const all = async (): Promise<void> => {
      if (atOnce) await Promise.all(both.map(work));
      else for (const server of both) await work(server);
    };
    await (this.#isRough ? this.#outages.amid(servers, all) : all());
  }

  async #add(server: ServerProcess): Promise<void> {
    this.#note(`${server.name} is added`);
    await this.#admin.add(server);
    await this.#admin.rebalance();
  }

  async #remove(server: ServerProcess): Promise<void> {
    this.#note(`${server.name} is to go`);
    await this.#admin.remove(server);
    this.#note(`${server.name} is a member no more`);
  }

  /** A server loses its disk. */
  async #replace(server: ServerProcess): Promise<void> {
    await this.#admin.repair();
    const before = await this.#admin.idOf(server);
    this.#note(`${server.name} loses its disk`);
    const replaced = async (): Promise<void> => {
      await server.kill();
      server.wipe();
      await server.start();
      const replace = (): Promise<void> => this.#admin.replace(server, before);
      await (this.#isRough ? this.#outages.amid(this.#servers.all, replace) : replace());
    };
    await this.#outages.during(replaced);
    this.#note(`${server.name} has its place again`);
  }

  #note(line: string): void {
    this.#stage.note(`${now().toFixed(3)} ${line}`);
  }
}
