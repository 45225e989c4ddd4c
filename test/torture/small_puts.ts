/** A server dies at random moments of many small puts: what was acknowledged is there, what failed is not. */
import { now } from "./clock.ts";
import { Commands } from "./commands.ts";
import { contentOf } from "./contents.ts";
import { Crowd, type Deed, lineOf, tallyOf } from "./crowd.ts";
import { Servers } from "./servers.ts";
import { Failure, type Scenario, type Stage } from "./stage.ts";

const CLIENTS = 4;
const STEP_MS = 80;

export const smallPuts: Scenario = {
  name: "small_puts",
  async play(stage) {
    const { rng } = stage;
    const servers = new Servers(stage);
    await servers.start();
    await new Commands(servers).list();
    const count = stage.size(1000, 160);
    const crowd = new Crowd(stage, servers);
    const begin = now() + 500;
    for (let client = 0; client < CLIENTS; client++) {
      const script = Array.from({ length: count / CLIENTS }, (_, i) => {
        const value = client * 1000 + i;
        const bytes = rng.between(8, rng.pick([100, 5000, 64_000]));
        const order = { do: "put", name: `p${value}`, value, bytes } as const;
        return { at: begin + i * STEP_MS, order };
      });
      crowd.start({ script, reuse: 0.8 });
    }
    let kills = 0;
    while (crowd.running.length > 0) {
      // Now and then two at once: nothing can be put then.
      const slots = rng.chance(0.1)
        ? [0, 1, 2, 3].toSorted(() => rng.fraction() - 0.5).slice(0, 2)
        : [rng.int(4)];
      await Bun.sleep(rng.int(400));
      await Promise.all(slots.map((slot) => servers.at(slot).kill()));
      stage.note(
        `${now().toFixed(3)} ${slots.map((slot) => `DFS${slot + 1}`).join(" and ")} killed`,
      );
      kills += slots.length;
      await Bun.sleep(rng.int(100));
      await servers.start(slots);
    }
    const deeds = crowd.deeds();
    const before = await readBack(stage, servers, deeds);
    const commands = new Commands(servers);
    await commands.repair();
    // Repair may bring a put to its end whose outcome was open; nothing else may change.
    const files = await readBack(stage, servers, deeds);
    const gone = [...before.keys()].find((name) => !files.has(name));
    if (gone !== undefined) throw new Failure(`${gone} was there before the repair`);
    for (const name of [...files.keys()].slice(0, 20))
      await commands.mustHaveTwoCopies(name, "repaired");
    const listed = await commands.list();
    if (listed.join() !== [...files.keys()].toSorted().join())
      throw new Failure(`list says ${listed.length} names, and there are ${files.size}`);
    const { pieces } = await commands.count(files);
    return `${count} puts, ${kills} kills: ${tallyOf(deeds)}; ${files.size} files read back, ${pieces} pieces`;
  },
};

/** Reads all back; resolves to what must be on disk. */
async function readBack(stage: Stage, servers: Servers, deeds: readonly Deed[]) {
  const crowd = new Crowd(stage, servers);
  const names = deeds.flatMap(({ order }) => (order.do === "put" ? [order.name] : []));
  crowd.start({ script: names.map((name) => ({ at: 0, order: { do: "get", name } })), reuse: 1 });
  await crowd.ended();
  const files = new Map<string, Uint8Array>();
  for (const [i, read] of crowd.deeds().entries()) {
    const deed = deeds[i] as Deed;
    const order = deed.order as Extract<Deed["order"], { do: "put" }>;
    const isThere = read.outcome === "done" && read.value === order.value;
    const isAbsent = read.outcome === "noSuchName";
    const fits =
      deed.outcome === "done" ? isThere : deed.outcome === "open" ? isThere || isAbsent : isAbsent;
    if (!fits) throw new Failure(`read back: ${lineOf(read)}`, [lineOf(deed), lineOf(read)]);
    if (isThere) files.set(order.name, contentOf(order.value, order.bytes));
  }
  return files;
}
