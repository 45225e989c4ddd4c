/** What a server knows of its cluster: the one that it joined, and the configuration that it goes by. */
import { describe, expect, test } from "bun:test";
import type { Store } from "../../src/store/store.ts";
import { configOf, versionOf, vidOf, withHeirs } from "../harness/arbitraries.ts";
import { errorOf, rejectionOf } from "../harness/thrown.ts";
import { inFolder, SPACE, toldOf } from "../harness/folder.ts";
import { inStore } from "../harness/named.ts";

const [one, other] = ["1".repeat(32), "2".repeat(32)];

describe("joining a cluster", () => {
  test("once, for ever; the same one again is no error", () =>
    inFolder(async (folder) => {
      const store = await folder.open();
      expect(toldOf(store)).toEqual({ cluster: null, config: null });
      await store.membership.join(one);
      await store.membership.join(one);
      await rejectionOf("identity", store.membership.join(other));
      expect(toldOf(store)).toEqual({ cluster: one, config: null });
      const again = await folder.reopen();
      expect(toldOf(again)).toEqual({ cluster: one, config: null });
      await rejectionOf("identity", again.membership.join(other));
    }));

  test("the same one again does not make it forget the configuration", () =>
    inFolder(async (folder) => {
      const store = await folder.open();
      await store.membership.join(one);
      await store.membership.install(configOf(4), 0n);
      await store.membership.join(one);
      await rejectionOf("identity", store.membership.join(other));
      expect(toldOf(store)).toEqual({ cluster: one, config: configOf(4) });
    }));

  test("of two that ask at once one gets it", () =>
    inFolder(async (folder) => {
      const store = await folder.open();
      const joined = await Promise.allSettled([
        store.membership.join(one),
        store.membership.join(other),
      ]);
      expect(joined.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
      expect(store.membership.cluster).toBe(one);
    }));
});

describe("a configuration", () => {
  const seats = withHeirs(configOf(5).seats, { 0: 4 });
  const joint = configOf(5, { epoch: 3, seats, voters: [0, 1, 2, 3], next: [1, 2, 3, 4] });

  const joined = async (store: Store): Promise<Store> => {
    await store.membership.join(one);
    return store;
  };

  test("is for members only", () =>
    inFolder(async (folder) => {
      const store = await folder.open();
      await rejectionOf("identity", store.membership.install(configOf(4), 9n));
      expect(toldOf(store)).toEqual({ cluster: null, config: null });
      expect(store.floors.of(SPACE)).toBe(0n);
    }));

  test("that is newer counts from now on, after a restart too", () =>
    inFolder(async (folder) => {
      const store = await joined(await folder.open());
      await store.membership.install(configOf(4), 0n);
      expect(toldOf(store)).toEqual({ cluster: one, config: configOf(4) });
      await store.membership.install(joint, 0n);
      expect(toldOf(store)).toEqual({ cluster: one, config: joint });
      expect(toldOf(await folder.reopen())).toEqual({ cluster: one, config: joint });
    }));

  test("that is older, or another one of the same epoch, does not", () =>
    inFolder(async (folder) => {
      const store = await joined(await folder.open());
      await store.membership.install(joint, 0n);
      for (const epoch of [1, 2, 3]) await store.membership.install(configOf(4, { epoch }), 0n);
      expect(toldOf(store)).toEqual({ cluster: one, config: joint });
      expect(toldOf(await folder.reopen())).toEqual({ cluster: one, config: joint });
    }));

  test("of several at once the newest counts", () =>
    inFolder(async (folder) => {
      const store = await joined(await folder.open());
      const epochs = [2, 5, 1, 4];
      await Promise.all(
        epochs.map((epoch) => store.membership.install(configOf(4, { epoch }), 0n)),
      );
      expect(store.membership.config?.epoch).toBe(5);
      expect((await folder.reopen()).membership.config?.epoch).toBe(5);
    }));

  test("raises the floor, never lowers it, and does so too where it is an old one", () =>
    inFolder(async (folder) => {
      const store = await joined(await folder.open());
      await store.membership.install(joint, 5n);
      expect(store.floors.of(SPACE)).toBe(5n);
      await store.membership.install({ ...joint, epoch: 4 }, 3n);
      expect(store.floors.of(SPACE)).toBe(5n);
      await store.membership.install(joint, 8n);
      expect(store.floors.of(SPACE)).toBe(8n);
      const again = await folder.reopen();
      expect(again.floors.of(SPACE)).toBe(8n);
      expect(again.membership.config?.epoch).toBe(4);
    }));

  test("raises the floors of spaces, each its own", () =>
    inFolder(async (folder) => {
      const store = await joined(await folder.open());
      const floors = [
        { space: "", floor: 2n },
        { space: "u:a", floor: 7n },
        { space: "u:b", floor: 3n },
      ];
      await store.membership.install(joint, 4n, floors);
      await store.membership.install(joint, 0n, [{ space: "u:a", floor: 6n }]);
      const again = await folder.reopen();
      const told = ["", "u:a", "u:b", "u:c"].map((space) => again.floors.of(space));
      expect(told).toEqual([4n, 7n, 4n, 4n]);
      expect(again.floors.everywhere).toBe(4n);
      await again.membership.install(joint, 0n, [{ space: "", floor: 5n }]);
      await again.membership.install(joint, 0n, [{ space: "u:", floor: 9n }]);
      const pages = [null, "", "u:", "u:a"].map((after) => again.floors.page(after, 2));
      const spaces = pages.map((page) => page.map(({ space }) => space));
      expect(spaces).toEqual([["", "u:"], ["u:", "u:a"], ["u:a"], []]);
    }));

  test("an old store's one floor is the floor of every space", () =>
    inFolder(async (folder) => {
      const store = await joined(await folder.open());
      await store.membership.install(joint, 0n, [{ space: "u:a", floor: 3n }]);
      await store.membership.install(joint, 7n);
      for (const space of ["", "u:a", "u:b"]) expect(store.floors.of(space)).toBe(7n);
      expect(store.read("u:b", inStore("x")).register.prom).toBe(7n);
    }));

  const born = configOf(4, { birth: vidOf(70) });

  test("of another founding is refused, whatever its epoch", () =>
    inFolder(async (folder) => {
      const store = await joined(await folder.open());
      await store.membership.install(born, 0n);
      const twin = { ...born, epoch: 9, birth: vidOf(71) };
      await rejectionOf("identity", store.membership.install(twin, 9n));
      expect(toldOf(store)).toEqual({ cluster: one, config: born });
      expect(store.floors.everywhere).toBe(0n);
      const again = await folder.reopen();
      await rejectionOf("identity", again.membership.install(twin, 9n));
      await again.membership.install({ ...twin, birth: born.birth }, 9n);
      expect(again.membership.config?.epoch).toBe(9);
    }));

  test("is what requests are called by from now on; before it only those of the founding are told apart", () =>
    inFolder(async (folder) => {
      const store = await folder.open();
      expect(store.membership.idAt(0)).toBeNull();
      await store.membership.join(one);
      expect(store.membership.idAt(0)).toBe(one);
      errorOf("epoch", () => store.membership.idAt(1));
      await store.membership.install(born, 0n);
      expect([0, 1, 2].map((epoch) => store.membership.idAt(epoch))).toEqual([
        one,
        born.birth,
        born.birth,
      ]);
    }));

  test("ends the founding: what was promised and accepted for that counts no more, and a later one ends nothing", () =>
    inFolder(async (folder) => {
      const value = { ballot: 5n, version: versionOf({ vid: vidOf(1) }) };
      const store = await joined(await folder.open());
      const empty = store.read("", inStore("")).register;
      await store.commit("", inStore(""), value, true);
      await store.commit(SPACE, inStore("a"), value, true);
      await store.membership.install(born, 0n);
      expect(store.read("", inStore("")).register).toEqual(empty);
      await store.commit("", inStore(""), value, true);
      await store.membership.install({ ...born, epoch: 2 }, 0n);
      const again = await folder.reopen();
      for (const space of ["", SPACE])
        expect(again.read(space, inStore(space && "a")).register).toEqual({
          prom: 5n,
          acc: value,
          com: value,
        });
    }));

  test("with a floor: no ballot up to it counts for a name that has no row, and rows stay as they are", () =>
    inFolder(async (folder) => {
      const store = await joined(await folder.open());
      const value = { ballot: 5n, version: versionOf({ vid: vidOf(1) }) };
      await store.commit(SPACE, inStore("a"), value, true);
      await store.membership.install(joint, 8n);
      expect(store.read(SPACE, inStore("a")).register).toEqual({
        prom: 5n,
        acc: value,
        com: value,
      });
      expect(store.read(SPACE, inStore("b")).register).toEqual({ prom: 8n, acc: null, com: null });
      expect(
        await store.prepare(SPACE, inStore("b"), 7n, { vid: vidOf(2), link: vidOf(2), inline: [] }),
      ).toMatchObject({ ok: false });
      expect(await store.accept(SPACE, inStore("b"), 7n, value.version)).toMatchObject({
        ok: false,
      });
      expect(await store.commit(SPACE, inStore("c"), value, true)).toMatchObject({ ignored: true });
      expect(
        await store.prepare(SPACE, inStore("b"), 9n, { vid: vidOf(2), link: vidOf(2), inline: [] }),
      ).toMatchObject({ ok: true });
    }));
});
