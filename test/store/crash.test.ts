/** Power that is lost, on the simulated disk: what was answered is there afterwards, whatever the disk forgets. */
import { expect, test } from "bun:test";
import { Store } from "../../src/store/store.ts";
import type { Accepted } from "../../src/version.ts";
import { configOf, versionOf, vidOf, historyOf } from "../harness/arbitraries.ts";
import { SimDisk } from "../sim/disk.ts";
import { simRandom } from "../sim/random.ts";
import { World } from "../sim/world.ts";
import { heldOf, idOf, pattern, smallPiece, SPACE, upload, toldOf } from "../harness/folder.ts";
import { inStore } from "../harness/named.ts";

const SEEDS = 40;
const OPTIONS = { folder: "/dfs", catalogFolder: "/dfs", inlineBytes: 16 * 1024, trashGraceMs: 0 };
const VID = "ab".repeat(16);
const value: Accepted = { ballot: 5n, version: versionOf({ vid: VID }) };
const grave: Accepted = { ballot: 6n, version: { ...versionOf({ vid: vidOf(6) }), deleted: true } };

/** Runs `work` on a new server, cuts its power right after, and looks at what the next start finds; for many seeds. */
function afterCrash(
  work: (store: Store) => Promise<unknown>,
  look: (store: Store) => unknown,
): void {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const world = new World(seed);
    const disk = new SimDisk(world, "server");
    const boot = (): { store: Promise<Store>; crash: () => void } => {
      const machine = world.machine("server");
      const ports = {
        clock: world.clock(machine),
        random: simRandom(world.rng.fork("ids")),
        disk: disk.of(machine),
      };
      const store = Store.open(ports, OPTIONS, (error) => {
        throw error;
      });
      return { store, crash: () => (world.kill(machine), disk.crash()) };
    };
    try {
      const first = boot();
      world.finish(first.store.then(work));
      first.crash();
      world.finish(boot().store.then(look));
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
  }
}

test("a promise, with the pieces that came with it", () => {
  afterCrash(
    (store) =>
      store.prepare(SPACE, inStore("a"), 5n, {
        vid: VID,
        link: VID,
        inline: [smallPiece(VID, 1, pattern(100))],
      }),
    async (store) => {
      expect(store.read(SPACE, inStore("a")).register).toEqual({ prom: 5n, acc: null, com: null });
      expect(heldOf(store, VID)).toEqual([1]);
      expect((await store.pieces.fetch(idOf(VID, 1), 0, 100)).length).toBe(100);
    },
  );
});

test("an accepted value", () => {
  afterCrash(
    (store) => store.accept(SPACE, inStore("a"), 5n, value.version),
    (store) =>
      expect(store.read(SPACE, inStore("a")).register).toEqual({ prom: 5n, acc: value, com: null }),
  );
});

test("a piece in a file", () => {
  afterCrash(
    (store) => upload(store, idOf(VID, 2), pattern(100_000)),
    async (store) => {
      expect(heldOf(store, VID)).toEqual([2]);
      expect((await store.pieces.fetch(idOf(VID, 2), 0, 100_000)).length).toBe(100_000);
    },
  );
});

test("a commit that was to be durable, though all it says was said before", () => {
  afterCrash(
    async (store) => {
      await store.commit(SPACE, inStore("a"), grave, false);
      await store.commit(SPACE, inStore("a"), grave, true);
    },
    (store) => expect(store.read(SPACE, inStore("a")).register.com).toEqual(grave),
  );
});

test("a commit that was not, with everything it was answered before", () => {
  const seen = new Set<boolean>();
  afterCrash(
    async (store) => {
      await store.accept(SPACE, inStore("a"), 5n, value.version);
      await store.commit(SPACE, inStore("a"), value, false);
    },
    (store) => {
      const { acc, com } = store.read(SPACE, inStore("a")).register;
      expect(acc).toEqual(value);
      seen.add(com !== null);
    },
  );
  expect(seen).toEqual(new Set([true, false]));
});

test("a forgotten name, and the floor in its place", () => {
  afterCrash(
    async (store) => {
      await store.commit(SPACE, inStore("a"), grave, true);
      await store.forget(SPACE, inStore("a"), 6n);
    },
    (store) => {
      expect(store.floors.of(SPACE)).toBe(6n);
      expect(store.read(SPACE, inStore("a")).register).toEqual({ prom: 6n, acc: null, com: null });
    },
  );
});

test("the cluster that it joined, and its id", () => {
  const ids = new Set<string>();
  afterCrash(
    async (store) => {
      await store.membership.join("1".repeat(32));
      ids.add(store.sid);
    },
    (store) => {
      expect(toldOf(store)).toEqual({ cluster: "1".repeat(32), config: null });
      expect(ids.has(store.sid)).toBe(true);
    },
  );
});

test("the configuration that it goes by, and the floor that came with it", () => {
  afterCrash(
    async (store) => {
      await store.membership.join("1".repeat(32));
      await store.membership.install(configOf(4), 7n);
    },
    (store) => {
      expect(toldOf(store)).toEqual({ cluster: "1".repeat(32), config: configOf(4) });
      expect(store.floors.of(SPACE)).toBe(7n);
    },
  );
});

test("pieces are swept only once what condemned them is durable", () => {
  afterCrash(
    async (store) => {
      await upload(store, idOf(VID, 0), pattern(100));
      await store.commit(SPACE, inStore("a"), value, true);
      const next = { ballot: 7n, version: versionOf({ vid: vidOf(7), history: historyOf(VID) }) };
      await store.commit(SPACE, inStore("a"), next, false);
      await store.sweep();
    },
    (store) => {
      if (heldOf(store, VID).length === 0)
        expect(store.read(SPACE, inStore("a")).register.com?.version.vid).toBe(vidOf(7));
    },
  );
});
