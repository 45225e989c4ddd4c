/** A put with any one server down keeps all of its redundancy, and when the server is back all goes home and nothing else stays. */
import { Commands } from "./commands.ts";
import { contentOf } from "./contents.ts";
import { Servers } from "./servers.ts";
import { Failure, type Scenario, type Stage } from "./stage.ts";

const SIZES = [0, 1, 3, 4, 1000, 65_535, 65_537, 262_144, 1_000_003, 5_242_883];
const BIG_BYTES = 24 * 1024 * 1024;

export const handoff: Scenario = {
  name: "handoff",
  async play(stage) {
    const slots = stage.size([0, 1, 2, 3], [stage.rng.int(4)]);
    let pieces = 0;
    let cases = 0;
    for (const down of slots)
      // A server may also be down from the very beginning, so that the cluster has never seen it.
      for (const isKnown of stage.size([true, false], [stage.rng.chance(0.5)])) {
        pieces += await playWithout(stage, down, isKnown);
        cases++;
      }
    return `${cases} cases, ${pieces} pieces counted at home`;
  },
};

async function playWithout(stage: Stage, down: number, isKnown: boolean): Promise<number> {
  const when = `${isKnown ? "" : "the never seen "}DFS${down + 1} down`;
  const servers = new Servers(stage);
  const commands = new Commands(servers);
  const others = servers.slots.filter((slot) => slot !== down);
  const files = new Map<string, Uint8Array>();
  let value = 1;
  await servers.start(isKnown ? servers.slots : others);
  if (isKnown) {
    for (const name of ["kept", "replaced", "deleted"])
      files.set(name, contentOf(value++, stage.rng.between(10, 300_000)));
    for (const [name, data] of files) await commands.mustPut(name, data);
    await servers.at(down).kill();
  }

  files.set("replaced", contentOf(value++, 200_000));
  for (const bytes of SIZES) files.set(`f${bytes}`, contentOf(value++, bytes));
  files.set("of/a folder", contentOf(value++, 70_000));
  for (const [name, data] of files) {
    if (name === "kept" || name === "deleted") continue;
    await commands.mustPut(name, data);
    await commands.mustHaveTwoCopies(name, when);
  }
  await leaveOrphan(stage, commands, when);
  if (isKnown) {
    const removed = await commands.remove("deleted");
    if (removed.status !== 0) throw new Failure(`${when}: rm ends with ${removed.status}`);
    files.delete("deleted");
  }

  for (const dead of others) {
    const alsoDead = `${when}, then DFS${dead + 1}`;
    await servers.without([dead], async () => {
      const put = files.entries().filter(([name]) => name !== "kept");
      await commands.mustGetAll(new Map(put), alsoDead);
      // What was put with all up is on neighbours: two of those may be down now.
      const lines = (await commands.list()).filter((line) => !line.startsWith("kept"));
      const expected = [...files.keys()].filter((name) => name !== "kept").toSorted();
      if (lines.join() !== expected.join())
        throw new Failure(`${alsoDead}: list says ${lines.join(", ")}`);
    });
  }

  await servers.start([down]);
  await commands.mustGetAll(files, `${when}, and back`);
  await commands.repair();
  await commands.mustGetAll(files, `${when}, repaired`);
  return (await commands.count(files)).pieces;
}

/** A put that is killed while it sends. */
async function leaveOrphan(stage: Stage, commands: Commands, when: string): Promise<void> {
  const path = `${commands.servers.newFolder()}/orphan`;
  await Bun.write(path, contentOf(999, BIG_BYTES));
  const put = commands.servers.begin(["put", path]);
  await Bun.sleep(stage.rng.between(40, 120));
  put.kill();
  if ((await put.ended).status === 0) {
    const removed = await commands.remove("orphan");
    if (removed.status !== 0) throw new Failure(`${when}: rm orphan ends with ${removed.status}`);
  }
}
