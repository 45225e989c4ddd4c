/**
 * A user with a password, one server that lies, the others honest or away: no get returns a wrong byte. `LIES=n` tells at least so many
 * lies instead of the usual number, of fresh seeds.
 */
import { inMemory } from "../../src/client/send/source.ts";
import { Space } from "../../src/client/trust/space.ts";
import { describe, expect, test } from "bun:test";
import type { Cluster } from "../../src/client/connect/cluster.ts";
import { get } from "../../src/client/files/get.ts";
import { Guard } from "../../src/client/trust/guard.ts";
import { openCluster } from "../../src/client/members/open.ts";
import { put } from "../../src/client/files/put.ts";
import { remove } from "../../src/client/files/remove.ts";
import { repairAll } from "../../src/client/care/repair.ts";
import { unlock } from "../../src/client/agree/unlock.ts";
import { asDfsError, isDfsError } from "../../src/errors.ts";
import { layoutOf } from "../../src/file/layout.ts";
import { openerOf } from "../harness/secret.ts";
import { SimCluster } from "./cluster.ts";
import { Liar } from "./liar.ts";
import { labelHash, Rng } from "./random.ts";
import { memory } from "./sealing.ts";
import { contentOf, memorySink } from "./contents.ts";
import { World } from "./world.ts";
import { named } from "../harness/named.ts";

const LIES = Number(process.env.LIES ?? 4000);
const LIES_PER_WORLD = 400;
const OPEN_TRIES = 20;
const MINUTES = 60_000;
const NAMES = ["a", "dir/b", "dir/c"];
const SIZES = [0, 50, 3000, 100_000, 300_000];

/** A cluster with a liar in it, and what its users have put there. */
class Stage {
  readonly world: World;
  readonly rng: Rng;
  readonly cluster: SimCluster;
  readonly liar: Liar;
  readonly #secrets = new Map<string, Uint8Array>();
  /** By user and name; a file that was deleted is not there. */
  readonly contents = new Map<string, Uint8Array>();
  readonly #memories = new Map<string, ReturnType<typeof memory>>();
  #values = 0;

  constructor(seed: number) {
    this.world = new World(seed);
    this.rng = new Rng(seed, labelHash("liar"));
    this.cluster = new SimCluster(this.world, 4, 0, () => {});
    this.liar = new Liar(this.rng);
    for (const server of this.cluster.servers) server.start();
    this.world.pass(1000);
  }

  /** The user's client. What went before is remembered where `remembers`. */
  async open(user: string, remembers: boolean): Promise<Cluster> {
    const { ports } = this.cluster.client();
    const net = this.liar.netOf(ports.net, (host) => host === "dfs1");
    const options = {
      user,
      login: null,
      warn: () => {},
    };
    const cluster = await openCluster({ ...ports, net }, this.cluster.addresses, options);
    const secret = this.#secrets.get(user) ?? this.rng.bytes(32);
    this.#secrets.set(user, secret);
    const known = this.#memories.get(user) ?? memory();
    this.#memories.set(user, known);
    const { guard } = (await unlock(cluster, openerOf(secret), known)).space;
    if (!guard) throw new Error("a user with a password has keys");
    return cluster.in(
      new Space(
        user,
        remembers
          ? guard
          : new Guard(guard.keys, memory(), ports.random, {
              isOpened: () => true,
              learn: async () => false,
            }),
      ),
    );
  }

  /** Every name several times over, one of them deleted and put again in between. */
  async fill(user: string): Promise<void> {
    const cluster = await this.open(user, true);
    for (const name of NAMES)
      for (let version = 1; version <= 3; version++) {
        const data = contentOf(++this.#values, this.rng.pick(SIZES));
        const layout = layoutOf(this.rng.pick(["pairs", "rs:2+2"]));
        await put(cluster, named(name), inMemory(data), { layout, placement: "name" });
        this.contents.set(`${user} ${name}`, data);
        if (version === 2 && name === "a") await remove(cluster, named(name));
      }
    cluster.close();
  }

  /** Has every server know all; false: the weather does not let all of them answer. */
  async settle(): Promise<boolean> {
    for (const user of ["alice", "bob"]) {
      const cluster = await this.open(user, true);
      if (cluster.live.length < 4) return false;
      for await (const { problem } of repairAll(cluster, "", { dryRun: false, orphanAge: 0 }))
        if (problem !== null) return false;
      for await (const _ of repairAll(cluster, "", { dryRun: true, orphanAge: 0 })) return false;
      cluster.close();
    }
    return true;
  }

  /** What becomes of a get: null where it brings the right bytes, else why not. Throws where it brings others. */
  async get(cluster: Cluster, name: string): Promise<string | null> {
    const sink = memorySink(this.rng.chance(0.3));
    try {
      await get(cluster, named(name), sink, {});
    } catch (error) {
      return asDfsError(error).code;
    }
    const right = this.contents.get(`${cluster.space.user} ${name}`);
    if (!right || Buffer.compare(right, sink.data) !== 0)
      throw new Error(`a get of ${name} brought wrong bytes`);
    return null;
  }
}

/** null: the weather that the seed drew lets too few answers through in time, again and again. */
function openInWeather(stage: Stage): Cluster | null {
  const { world, rng } = stage;
  for (let tries = 0; tries < OPEN_TRIES; tries++)
    try {
      return world.finish(stage.open(rng.pick(["alice", "bob"]), rng.chance(0.5)));
    } catch (error) {
      // Where only two answer in time, and one of them is the liar, there may be no key to be had.
      if (!isDfsError(error, "tooFew", "login", "integrity")) throw error;
    }
  return null;
}

/** How gets end while dfs1 lies and these servers are away. */
function outcomes(seed: number, away: readonly string[]): { ends: Set<string>; lies: number } {
  const stage = new Stage(seed);
  const { world, liar, rng, cluster } = stage;
  for (const user of ["alice", "bob"]) world.finish(stage.fill(user));
  // Who missed a put could be all that is left besides the liar; against that only a memory helps.
  if (!world.finish(stage.settle())) return { ends: new Set(), lies: 0 };
  for (const { name, machine } of cluster.servers)
    if (away.includes(name) && machine) world.kill(machine);
  const ends = new Set<string>();
  while (liar.lies < LIES_PER_WORLD) {
    // Where there are only two to ask, one of them is as good as the other.
    liar.greets = away.length < 2;
    liar.rate = liar.greets ? rng.pick([0, 0.5, 1]) : 0;
    const opened = openInWeather(stage);
    if (!opened) break;
    liar.rate = rng.pick([0.1, 0.5, 1]);
    for (let i = 0; i < 20 && opened.live.length === 4 - away.length; i++)
      ends.add(world.finish(stage.get(opened, rng.pick(NAMES))) ?? "right");
    opened.close();
  }
  return { ends, lies: liar.lies };
}

describe("no get returns a wrong byte while one of four servers lies", () => {
  const CASES: [string, string[], string[]][] = [
    ["and all others are there: they are enough", [], ["right"]],
    ["and one is away", ["dfs3"], ["right", "incomplete", "integrity"]],
    // Where the liar says no more than that it cannot tell, one alone is left.
    ["and two are away", ["dfs2", "dfs4"], ["right", "incomplete", "integrity", "tooFew"]],
  ];
  const first = Number(
    process.env.SEED ?? (process.env.LIES ? Math.floor(Math.random() * 1e9) : 1),
  );
  test.each(CASES)(
    "%s",
    (_, away, expected) => {
      let lies = 0;
      for (let seed = first; lies < LIES / CASES.length; seed++) {
        const found = outcomes(seed, away);
        lies += found.lies;
        const others = [...found.ends].filter((end) => !expected.includes(end));
        expect([seed, others]).toEqual([seed, []]);
      }
    },
    60 * MINUTES,
  );
});
