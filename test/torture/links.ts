/** Single links break: some clients reach some servers, one way or not at all, and what they sent arrives late. */
import type { ServerAddress } from "../../src/membership.ts";
import { now } from "./clock.ts";
import { Relay } from "../harness/relay.ts";
import { Servers } from "./servers.ts";
import type { Scenario, Stage } from "./stage.ts";
import { storm } from "./storm.ts";

/** Clients of one group share their links. */
const GROUPS = 4;

export const links: Scenario = {
  name: "links",
  async play(stage) {
    const servers = new Servers(stage);
    await servers.start();
    const net = await Links.open(stage, servers);
    let breaks = 0;
    const figures = await storm(stage, servers, {
      seconds: stage.size(60, 7),
      writers: stage.size(8, 4),
      readers: stage.size(6, 2),
      deleters: 1,
      repairers: 1,
      names: ["a", "b"],
      addressesOf: (client) => net.addressesOf(client),
      harm: async (until) => {
        breaks = await net.breakInTurn(until);
      },
      heal: async () => net.heal(),
    });
    return `${breaks} links broken, ${figures}`;
  },
};

class Links {
  readonly #stage: Stage;
  readonly #servers: Servers;
  /** For each group, its relay before each server. */
  readonly #relays: readonly (readonly Relay[])[];

  private constructor(stage: Stage, servers: Servers, relays: readonly (readonly Relay[])[]) {
    this.#stage = stage;
    this.#servers = servers;
    this.#relays = relays;
    stage.undo(() => relays.flat().forEach((relay) => relay.close()));
  }

  static async open(stage: Stage, servers: Servers): Promise<Links> {
    const before = () => Promise.all(servers.all.map(({ host, port }) => Relay.open(host, port)));
    return new Links(stage, servers, await Promise.all(Array.from({ length: GROUPS }, before)));
  }

  addressesOf(client: number): ServerAddress[] {
    const relays = this.#relays[client % GROUPS] ?? [];
    return this.#servers.all.map(({ name }, slot) => ({
      name,
      host: "127.0.0.1",
      port: relays[slot]?.port ?? 0,
    }));
  }

  /** Several links at a time are held for a while; some of them then lose what was on its way. */
  async breakInTurn(until: number): Promise<number> {
    const { rng } = this.#stage;
    let breaks = 0;
    while (now() < until - 2000) {
      const chosen = Array.from({ length: rng.between(1, 4) }, () => rng.pick(this.#relays.flat()));
      for (const relay of chosen) {
        if (rng.chance(0.75)) relay.hold("out");
        if (rng.chance(0.5)) relay.hold("back");
        breaks++;
      }
      await Bun.sleep(rng.pick([20, 100, 600, 2500]) * (0.5 + rng.fraction()));
      if (now() < until - 14_000 && rng.chance(0.05)) await Bun.sleep(11_000);
      for (const relay of chosen) {
        if (rng.chance(0.3)) relay.snap();
        relay.release();
      }
      await Bun.sleep(rng.int(300));
    }
    return breaks;
  }

  heal(): void {
    for (const relay of this.#relays.flat()) relay.release();
  }
}
