/** Many clients on few names while servers die and come back: each name's history must be one that a single register could have. */
import { now } from "./clock.ts";
import type { Crowd } from "./crowd.ts";
import { Servers } from "./servers.ts";
import type { Scenario, Stage } from "./stage.ts";
import { startKind, storm } from "./storm.ts";

const NAMES = ["a", "b", "c", "d/e"];

export const writers: Scenario = {
  name: "writers",
  async play(stage) {
    // Half of the time the servers repair too, all of them, and often.
    const repairs = stage.rng.chance(0.5) ? 1 : 0;
    const servers = new Servers(stage, () => ({ repairs }));
    let kills = 0;
    const harm = async (until: number, crowd: Crowd): Promise<void> => {
      kills = await killInTurn(stage, servers, until, crowd);
    };
    const figures = await storm(stage, servers, {
      seconds: stage.size(60, 8),
      writers: stage.size(8, 4),
      readers: stage.size(8, 3),
      deleters: stage.size(2, 1),
      repairers: 1,
      names: stage.size(NAMES, NAMES.slice(0, 2)),
      harm,
      heal: () => servers.start(),
    });
    return `${kills} servers killed, repairs by servers ${repairs ? "on" : "off"}, ${figures}`;
  },
};

/** Every two seconds a server dies, and is back before the next one does; now and then a client dies for good. */
async function killInTurn(
  stage: Stage,
  servers: Servers,
  until: number,
  crowd: Crowd,
): Promise<number> {
  const { rng } = stage;
  const frozen: Promise<void>[] = [];
  let kills = 0;
  while (now() < until - 2000) {
    const next = now() + 2000;
    const slot = rng.int(4);
    await Bun.sleep(rng.int(400));
    stage.note(`${now().toFixed(3)} DFS${slot + 1} is killed`);
    await servers.at(slot).kill();
    kills++;
    await Bun.sleep(rng.chance(0.3) ? 0 : rng.int(1300));
    await servers.start([slot]);
    stage.note(`${now().toFixed(3)} DFS${slot + 1} is back`);
    if (rng.chance(0.5)) {
      const victim = rng.pick(crowd.running);
      await crowd.kill(victim);
      stage.note(`${now().toFixed(3)} client ${victim} is killed`);
      startKind(crowd, "writer", NAMES.slice(0, 2), until);
    }
    // A client that sleeps for a while goes on with what it knew before.
    if (rng.chance(0.4)) frozen.push(crowd.freeze(rng.pick(crowd.running), rng.int(6000)));
    await Bun.sleep(Math.max(0, next - now()));
  }
  await Promise.all(frozen);
  return kills;
}
