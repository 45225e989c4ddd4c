/** What a workload does to a simulated disk besides crashing it: it fills, and it rots. */
import { describe, expect, test } from "bun:test";
import { isDfsError } from "../../src/errors.ts";
import { errorOf } from "../io/harness.ts";
import { SimDisk } from "./disk.ts";
import { World } from "./world.ts";

describe("room and rot", () => {
  test("a full disk takes what fits, says so, and has room again after a removal", () => {
    const world = new World(1);
    const disk = new SimDisk(world, "m");
    disk.capacityBytes = 1000;
    const port = disk.of(world.machine("m"));
    const work = async (): Promise<void> => {
      const file = await port.open("a", "create");
      await file.write(new Uint8Array(600), 0);
      const full = await file
        .write(new Uint8Array(600), 600)
        .catch((error: unknown) => isDfsError(error, "noRoom"));
      expect(full).toBe(true);
      expect((await port.space("a")).bytes).toEqual({ free: 0, total: 1000 });
      await file.write(new Uint8Array(1000), 0);
      await port.remove("a");
      expect((await port.space(".")).bytes?.free).toBe(0);
      await file.close();
      expect((await port.space(".")).bytes?.free).toBe(1000);
    };
    world.finish(work());
  });

  test("without inodes there are no new files and folders, until one is removed", () => {
    const world = new World(1);
    const disk = new SimDisk(world, "m");
    const port = disk.of(world.machine("m"));
    const work = async (): Promise<void> => {
      await (await port.open("a", "create")).close();
      disk.capacityFiles = disk.usedFiles + 1;
      expect((await port.space(".")).files?.free).toBe(1);
      await port.makeFolder("d");
      expect(await errorOf("noRoom", port.makeFolder("e"))).toBeTruthy();
      expect(await errorOf("noRoom", port.open("d/b", "create"))).toBeTruthy();
      await port.rename("a", "d/a");
      await port.remove("d/a");
      await (await port.open("d/b", "create")).close();
      expect((await port.space(".")).files?.free).toBe(0);
    };
    world.finish(work());
  });

  test("a flipped bit stays flipped", () => {
    const world = new World(1);
    const disk = new SimDisk(world, "m");
    disk.put("d/a", Uint8Array.of(1, 2, 3));
    disk.flip("d/a", 1, 0x80);
    expect([...disk.files().get("d/a")!]).toEqual([1, 0x82, 3]);
    expect(() => disk.flip("d/a", 3)).toThrow("no byte 3");
    expect(world.finish(disk.of(world.machine("m")).list("d"))).toEqual(["a"]);
  });
});
