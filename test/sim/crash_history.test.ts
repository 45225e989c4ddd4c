/**
 * The disk's promise over long histories: many changes, many losses of power, one model of what
 * must be left.
 */
import { expect, test } from "bun:test";
import type { Disk } from "../../src/io/ports.ts";
import { SimDisk } from "./disk.ts";
import { World } from "./world.ts";

const SEEDS = 200;

/** What a file holds: its text, or null where there is none. */
type Text = string | null;

const textOf = (disk: SimDisk, path: string): Text => {
  const bytes = disk.files().get(path);
  return bytes ? Buffer.from(bytes).toString() : null;
};

async function write(disk: Disk, path: string, text: string): Promise<void> {
  const file = await disk.open(path, "create");
  await file.write(Buffer.from(text), 0);
  await file.sync();
  await file.close();
}

test("over any history: what was synced and not changed since is there, and nothing that never was", () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const world = new World(seed);
    const disk = new SimDisk(world, "m");
    const rng = world.rng.fork("workload");
    /**
     * Every content a name ever had; and, for names left alone since they were synced, the one
     * they have.
     */
    const ever = new Map<string, Set<Text>>();
    let durable = new Map<string, Text>();
    for (let life = 0; life < 4; life++) {
      const machine = world.machine("m");
      const port = disk.of(machine);
      const now = new Map<string, Text>(durable);
      const changed = (path: string, text: Text): void => {
        now.set(path, text);
        durable.delete(path);
        ever.set(path, (ever.get(path) ?? new Set<Text>([null])).add(text));
      };
      const step = async (): Promise<void> => {
        const [path, other] = [`d${rng.int(2)}/${rng.int(6)}`, `d${rng.int(2)}/${rng.int(6)}`];
        const act = rng.int(4);
        if (act === 0 && now.get(path) === null) {
          changed(path, `${world.events}`);
          await write(port, path, now.get(path)!);
        } else if (act === 1 && now.get(path) && path !== other) {
          changed(other, now.get(path)!);
          changed(path, null);
          await port.rename(path, other);
        } else if (act === 2) {
          changed(path, null);
          await port.remove(path);
        } else if (act === 3) {
          // A rename between folders is sure once its target's folder is; keep to that one's own
          // names.
          await port.syncFolder("d0");
          await port.syncFolder("d1");
          durable = new Map(now);
        }
      };
      const work = async (): Promise<void> => {
        for (const folder of ["d0", "d1"]) await port.makeFolder(folder);
        for (let i = 0; i < 12; i++)
          now.set(`d${i % 2}/${i >> 1}`, textOf(disk, `d${i % 2}/${i >> 1}`));
        for (let i = rng.int(60); i > 0; i--) await step();
      };
      world.finish(work());
      world.kill(machine);
      disk.crash();
      for (const [path, text] of durable)
        expect(`${path} ${textOf(disk, path)}`).toBe(`${path} ${text}`);
      for (const [path] of disk.files()) expect(ever.get(path)).toContain(textOf(disk, path));
      durable = new Map([...now.keys()].map((path) => [path, textOf(disk, path)]));
    }
  }
});
