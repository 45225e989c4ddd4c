/** Many clients on disks that are always nearly full: the trash goes at once, pieces are handed off, and some puts fail. */
import { now } from "./clock.ts";
import { Servers } from "./servers.ts";
import { mountDisk } from "./small_disk.ts";
import type { Scenario, Stage } from "./stage.ts";
import { storm } from "./storm.ts";

export const tight: Scenario = {
  name: "tight",
  async play(stage) {
    // Eight MiB are kept free in any case; the files of one moment take about eight more.
    const disks = [0, 1, 2, 3].map((slot) => mountDisk(stage, slot, stage.rng.between(20, 40)));
    const servers = new Servers(stage, (slot) => ({ folder: `${disks[slot]}/dfs` }));
    let kills = 0;
    const figures = await storm(stage, servers, {
      seconds: stage.size(45, 6),
      writers: stage.size(6, 3),
      readers: stage.size(6, 3),
      deleters: 1,
      repairers: 1,
      names: ["a", "b", "c"],
      bytes: [
        [100, 50_000],
        [500_000, 3_000_000],
      ],
      harm: async (until) => {
        kills = await killNowAndThen(stage, servers, until);
      },
      heal: () => servers.start(),
    });
    return `${kills} servers killed, ${figures}`;
  },
};

async function killNowAndThen(stage: Stage, servers: Servers, until: number): Promise<number> {
  const { rng } = stage;
  let kills = 0;
  while (now() < until - 2000) {
    await Bun.sleep(rng.between(500, 4000));
    const slot = rng.int(4);
    await servers.at(slot).kill();
    kills++;
    await Bun.sleep(rng.int(1000));
    await servers.start([slot]);
  }
  return kills;
}
