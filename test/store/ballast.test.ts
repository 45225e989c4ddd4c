/** A disk that is full to the last byte: what is kept for it lets deletions be written. */
import { expect, test } from "bun:test";
import { Store } from "../../src/store/store.ts";
import { versionOf, vidOf } from "../harness/arbitraries.ts";
import { SimDisk } from "../sim/disk.ts";
import { simRandom } from "../sim/random.ts";
import { World } from "../sim/world.ts";
import { inStore } from "../harness/named.ts";

const FOLDER = "/dfs";
const OPTIONS = { folder: FOLDER, catalogFolder: FOLDER, inlineBytes: 16 * 1024, trashGraceMs: 0 };
const SPACE = "u:";

/** A server whose simulated disk holds so many bytes. */
function serverOn(world: World, disk: SimDisk): Store {
  const machine = world.machine("dfs");
  const random = simRandom(world.rng.fork("store"));
  const ports = { clock: world.clock(machine), random, disk: disk.of(machine) };
  return world.finish(
    Store.open(ports, OPTIONS, (error) => {
      throw error;
    }),
  );
}

const isThere = (disk: SimDisk): boolean => disk.files().has(`${FOLDER}/ballast`);

test("it is given up for a deletion, and taken on again when there is room", () => {
  const world = new World(1);
  const disk = new SimDisk(world, "dfs");
  const store = serverOn(world, disk);
  expect(isThere(disk)).toBe(true);
  // A catalog grows by pages: full is where the next one does not fit.
  disk.capacityBytes = disk.usedBytes;
  for (let n = 1; n <= 40; n++) {
    const version = versionOf({ vid: vidOf(n), deleted: true, body: new Uint8Array(500) });
    const accepted = { ballot: 5n, version };
    world.finish(store.commit(SPACE, inStore(`name ${n}`), accepted, true));
  }
  expect(isThere(disk)).toBe(false);
  world.finish(store.pieces.ballast.load());
  expect(isThere(disk)).toBe(false);
  disk.capacityBytes = Infinity;
  world.finish(store.pieces.ballast.load());
  expect(isThere(disk)).toBe(true);
});

test("without it a full disk is said, and nothing is changed", () => {
  const world = new World(2);
  const disk = new SimDisk(world, "dfs");
  const store = serverOn(world, disk);
  world.finish(store.pieces.ballast.drop());
  disk.capacityBytes = disk.usedBytes;
  const outcomes = Array.from({ length: 40 }, (_, n) => {
    const version = versionOf({ vid: vidOf(n + 1), body: new Uint8Array(500) });
    const work = store.commit(SPACE, inStore(`name ${n}`), { ballot: 5n, version }, true);
    return world.finish(
      work.then(
        () => "done",
        (error: unknown) => (error as { code: string }).code,
      ),
    );
  });
  expect(new Set(outcomes)).toEqual(new Set(["done", "noRoom"]));
  for (const [n, outcome] of outcomes.entries())
    expect(store.read(SPACE, inStore(`name ${n}`)).register.com === null).toBe(
      outcome === "noRoom",
    );
});
