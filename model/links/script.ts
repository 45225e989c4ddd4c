/**
 * Directed traces of the model of content by reference: three servers, one name, each message sent by hand, and the truth looked at after
 * each. Used by traces.ts and list_traces.ts.
 */
import { Chance } from "../chance.ts";
import { Violation } from "../simulator.ts";
import { type Accepted, type Answer, FOREVER, type Request, type Version } from "./records.ts";
import { Rounds, type Write } from "./rounds.ts";
import type { LinkRule } from "./rules.ts";
import { type Versions, versionAt, versionsIn } from "./versions.ts";
import { LinkWorld } from "./world.ts";

/** Nothing happens by chance, and all clocks are right. */
class NoChance extends Chance {
  override is(): boolean {
    return false;
  }
  override below(bound: number): number {
    return Math.floor(bound / 2);
  }
}

/** Pieces by server: at their homes; and with the third server away. */
export const AT_HOME = [
  [0, 2],
  [0, 1],
  [1, 2],
];
export const THIRD_AWAY = [[0, 1, 2], [0, 1, 2], []];
const ALL = [0, 1, 2];
/** Ballots are so far apart. */
const STEP = 64;

/** Which servers hear what of a write; all, where nothing is said. */
interface Heard {
  readonly prepare?: readonly number[];
  readonly accept?: readonly number[];
  readonly commit?: readonly number[];
}

type Change = Partial<Omit<Write, "name" | "vid">> & { clock?: number };

export class Script {
  readonly world: LinkWorld;
  readonly of: Rounds;
  readonly broken: LinkRule | null;
  messages = 0;
  time = 1;
  #ballot = STEP;

  constructor(broken: LinkRule | null) {
    const chance = new NoChance(1);
    this.broken = broken;
    this.world = new LinkWorld(3, broken, chance);
    this.world.now = () => this.time;
    this.of = new Rounds(this.world, chance);
  }

  nextBallot(): number {
    return (this.#ballot += STEP);
  }

  say(server: number, request: Request): Answer {
    this.messages++;
    this.time++;
    const answer = this.world.answer(server, request)!;
    this.world.check();
    return answer;
  }

  sayAll(request: Request, to: readonly number[] = ALL): Answer[] {
    return to.map((server) => this.say(server, request));
  }

  upload(vid: number, where: readonly (readonly number[])[], cid = vid): void {
    for (const [server, pieces] of where.entries())
      if (pieces.length > 0) this.say(server, { is: "upload", name: "a", vid, cid, pieces });
  }

  listOf(cids: readonly number[]): number {
    return this.world.lists.idOf(cids);
  }

  /** Does this rule hold here? */
  keeps(rule: LinkRule): boolean {
    return this.broken !== rule;
  }

  current(): Version | null {
    return this.world.servers[0]!.catalog.register("a").com?.version ?? null;
  }

  prepare(ballot: number, write: Omit<Write, "name">, to: readonly number[] = ALL): Answer[] {
    const { vid, cids, isLinked } = write;
    const link = isLinked ? { list: this.listOf(cids), cids } : null;
    return this.sayAll({ is: "prepare", name: "a", ballot, vid, link }, to);
  }

  /** A child of what the first server has as committed, by what was promised. */
  child(vid: number, change: Change, promises: Answer[] = []): Version {
    return this.childOf(this.current(), vid, promises, change);
  }

  childOf(
    parent: Version | null,
    vid: number,
    promises: Answer[],
    { clock = this.time, ...change }: Change = {},
  ): Version {
    const birth = { ...this.of.select(promises), clock };
    const write = { name: "a", vid, cids: [vid], x: 0, keep: FOREVER, ...change };
    return this.of.childOf(parent, birth, write);
  }

  write(vid: number, change: Change = {}, heard: Heard = {}): Accepted {
    const { accept = ALL } = heard;
    const ballot = this.nextBallot();
    const write = { vid, cids: [vid], x: 0, keep: 0, ...change };
    const promises = this.prepare(ballot, write, heard.prepare ?? accept);
    const version = this.child(vid, change, promises);
    this.sayAll({ is: "accept", ballot, version }, accept);
    this.commit({ ballot, version }, heard.commit ?? accept);
    return { ballot, version };
  }

  delete(vid: number, clock?: number): void {
    const deletion = { cids: [], deleted: true, ...(clock !== undefined && { clock }) };
    const tombstone = this.write(vid, deletion);
    this.commit(tombstone, ALL, true);
    this.sayAll({ is: "forget", name: "a", ballot: tombstone.ballot });
  }

  commit({ ballot, version }: Accepted, to: readonly number[] = ALL, sync = false): void {
    this.sayAll({ is: "commit", ballot, version, sync }, to);
  }

  /** A fence: this version accepted anew. */
  fence({ version }: Accepted, accept: readonly number[] = ALL): number {
    const ballot = this.nextBallot();
    this.prepare(ballot, { vid: 0, cids: [], x: 0, keep: 0 });
    this.sayAll({ is: "accept", ballot, version }, accept);
    return ballot;
  }

  collect(server: number, vid: number, ballot: number, spare: readonly number[] = []): void {
    this.say(server, { is: "collect", name: "a", vid, ballot, spare });
  }

  drop(server: number, cid: number, piece: number): void {
    this.say(server, { is: "drop", name: "a", cid, piece });
  }

  /** Time passes on these servers. */
  pass(time: number, servers: readonly number[] = ALL): void {
    this.time += time;
    for (const server of servers) this.world.age(server, true);
    this.world.check();
  }

  crash(server: number): void {
    this.world.crash(server);
    this.world.restart(server);
    this.world.check();
  }

  versions(from: readonly number[] = ALL): Versions {
    const told = new Map(
      from.map((server) => [server, this.say(server, { is: "read", name: "a" })]),
    );
    const current = this.of.decide(told);
    if (typeof current === "string") throw new Error(`a trace reads ${current}`);
    return versionsIn(this.world, { current, told });
  }

  /** The vid of what was there at a time. */
  at(time: number): number {
    return versionAt(this.world, this.versions(), time).version?.vid ?? 0;
  }
}

export function expect(isRight: boolean, wrong: string): void {
  if (!isRight) throw new Violation(wrong);
}
