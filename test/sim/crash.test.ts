/**
 * What a simulated disk keeps when the power is lost: all that was synced, and by chance some of
 * the rest.
 */
import { describe, expect, test } from "bun:test";
import { isDfsError } from "../../src/errors.ts";
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

async function write(
  disk: Disk,
  path: string,
  text: string,
  how: { sync: boolean },
): Promise<void> {
  const file = await disk.open(path, "create");
  await file.write(Buffer.from(text), 0);
  if (how.sync) await file.sync();
  await file.close();
}

/** Runs `work` on a machine, loses its power, and gives the disk; over many seeds. */
function* crashes(
  work: (disk: Disk, world: World) => Promise<void>,
  seeds = SEEDS,
): Generator<[SimDisk, World]> {
  for (let seed = 1; seed <= seeds; seed++) {
    const world = new World(seed);
    const disk = new SimDisk(world, "m");
    const machine = world.machine("m");
    world.finish(work(disk.of(machine), world));
    world.kill(machine);
    disk.crash();
    yield [disk, world];
  }
}

describe("files", () => {
  test("a synced file under a synced name is always whole", () => {
    const work = async (disk: Disk): Promise<void> => {
      await disk.makeFolder("d");
      await write(disk, "d/a", "content", { sync: true });
      await disk.syncFolder("d");
    };
    for (const [disk] of crashes(work)) expect(textOf(disk, "d/a")).toBe("content");
  });

  test("what was not synced is kept, lost or torn", () => {
    const seen = new Set<Text>();
    const work = async (disk: Disk): Promise<void> => {
      await write(disk, "a", "content", { sync: false });
      await disk.syncFolder(".");
    };
    for (const [disk] of crashes(work)) seen.add(textOf(disk, "a"));
    expect(seen).toContain("content");
    expect(seen).toContain("");
    expect(seen).toContain("con");
    expect(seen).toContain("\0".repeat(7));
    expect(seen).not.toContain(null);
  });

  test("a name that was not synced may be gone, though its content was synced", () => {
    const seen = new Set<Text>();
    for (const [disk] of crashes((port) => write(port, "a", "content", { sync: true })))
      seen.add(textOf(disk, "a"));
    expect(seen).toEqual(new Set(["content", null]));
  });

  test("writes over synced bytes leave the old ones, the new ones or a mixture, and nothing else", () => {
    const seen = new Set<Text>();
    const work = async (disk: Disk): Promise<void> => {
      const file = await disk.open("a", "create");
      await file.write(Buffer.from("------"), 0);
      await file.sync();
      await disk.syncFolder(".");
      await file.write(Buffer.from("AA"), 0);
      await file.write(Buffer.from("BBB"), 1);
      await file.write(Buffer.from("CC"), 5);
    };
    for (const [disk] of crashes(work)) {
      const text = textOf(disk, "a");
      seen.add(text);
      expect(text).toMatch(/^[A-][AB-][B-][B-]-[C-][C\0]?$/);
    }
    for (const text of ["------", "AA----", "-BBB--", "ABBB-CC", "AA---CC"])
      expect(seen).toContain(text);
  });

  test("a killed process loses nothing of what it wrote, until the power is lost", () => {
    for (let seed = 1; seed <= 50; seed++) {
      const world = new World(seed);
      const disk = new SimDisk(world, "m");
      const first = world.machine("m");
      world.finish(write(disk.of(first), "a", "content", { sync: false }));
      world.kill(first);
      expect(textOf(disk, "a")).toBe("content");
      const second = world.machine("m");
      disk.of(second);
      expect(() => disk.crash()).toThrow("m lives");
      world.kill(second);
      disk.crash();
    }
  });

  test("a sync covers what was written before it was asked for, not later", () => {
    let lost = 0;
    const work = async (disk: Disk): Promise<void> => {
      const file = await disk.open("a", "create");
      await disk.syncFolder(".");
      await file.write(Buffer.from("one"), 0);
      await Promise.all([file.sync(), file.write(Buffer.from("two"), 3)]);
    };
    for (const [disk] of crashes(work)) {
      expect(textOf(disk, "a")).toStartWith("one");
      if (textOf(disk, "a") === "one") lost++;
    }
    expect(lost).toBeGreaterThan(55);
  });

  test("a sync that failed has lost the bytes for good, whatever is synced later", () => {
    const seen = new Set<Text>();
    for (let seed = 1; seed <= SEEDS; seed++) {
      const world = new World(seed);
      const disk = new SimDisk(world, "m");
      const machine = world.machine("m");
      const port = disk.of(machine);
      const work = async (): Promise<void> => {
        const file = await port.open("a", "create");
        await port.syncFolder(".");
        await file.write(Buffer.from("one"), 0);
        disk.failNextSync = true;
        expect(await file.sync().catch((error: unknown) => isDfsError(error, "unsynced"))).toBe(
          true,
        );
        await file.sync();
      };
      world.finish(work());
      world.kill(machine);
      disk.crash();
      seen.add(textOf(disk, "a"));
    }
    expect(seen).toContain("");
    expect(seen).toContain("one");
  });
});

describe("names", () => {
  test("a rename is whole: the old file or the new one, and never both or none", () => {
    const seen = new Set<string>();
    const work = async (disk: Disk): Promise<void> => {
      await write(disk, "target", "old", { sync: true });
      await write(disk, "temporary", "new", { sync: true });
      await disk.syncFolder(".");
      await disk.rename("temporary", "target");
    };
    for (const [disk] of crashes(work))
      seen.add(`${textOf(disk, "target")} ${textOf(disk, "temporary")}`);
    expect(seen).toEqual(new Set(["old new", "new null"]));
  });

  test("a synced rename stays, with the creation it rests on", () => {
    const work = async (disk: Disk): Promise<void> => {
      await disk.makeFolder("d/tmp");
      await disk.makeFolder("d/pieces/aa");
      await write(disk, "d/tmp/1", "new", { sync: true });
      await disk.rename("d/tmp/1", "d/pieces/aa/1");
      await disk.syncFolder("d/pieces/aa");
    };
    for (const [disk] of crashes(work)) {
      expect(textOf(disk, "d/pieces/aa/1")).toBe("new");
      expect(textOf(disk, "d/tmp/1")).toBeNull();
    }
  });

  test("a removal may be undone, and the file is then whole again", () => {
    const seen = new Set<Text>();
    const work = async (disk: Disk): Promise<void> => {
      await write(disk, "a", "content", { sync: true });
      await disk.syncFolder(".");
      await disk.remove("a");
    };
    for (const [disk] of crashes(work)) {
      const text = textOf(disk, "a");
      seen.add(text);
      expect(disk.usedBytes).toBe(text === null ? 0 : 7);
    }
    expect(seen).toEqual(new Set(["content", null]));
  });

  test("changes of different names are kept independently, of one name in order", () => {
    const seen = new Set<string>();
    const work = async (disk: Disk): Promise<void> => {
      for (const name of ["a", "b"]) await write(disk, name, name, { sync: true });
      await disk.remove("a");
      await write(disk, "a", "again", { sync: true });
    };
    for (const [disk] of crashes(work)) seen.add(`${textOf(disk, "a")} ${textOf(disk, "b")}`);
    expect(seen).toEqual(
      new Set(["a b", "a null", "null b", "null null", "again b", "again null"]),
    );
  });

  test("what a kept change rests on is kept too", () => {
    const seen = new Set<string>();
    const work = async (disk: Disk): Promise<void> => {
      await write(disk, "a", "content", { sync: true });
      await disk.syncFolder(".");
      await disk.rename("a", "b");
      await disk.makeFolder("d");
      await disk.rename("b", "d/c");
    };
    for (const [disk, world] of crashes(work)) {
      const port = disk.of(world.machine("m"));
      expect(disk.files().size).toBe(1);
      const [path = ""] = disk.files().keys();
      seen.add(path);
      if (path === "d/c") expect(world.finish(port.stat("d"))).toMatchObject({ isFolder: true });
      else expect(world.finish(port.open(path, "read"))).toBeDefined();
    }
    expect([...seen].toSorted()).toEqual(["a", "b", "d/c"]);
  });

  test("a folder's sync covers what was changed before it was asked for, not later", () => {
    let lost = 0;
    const work = async (disk: Disk): Promise<void> => {
      await write(disk, "a", "a", { sync: true });
      await Promise.all([disk.syncFolder("."), write(disk, "b", "b", { sync: false })]);
    };
    for (const [disk] of crashes(work)) {
      expect(textOf(disk, "a")).toBe("a");
      if (textOf(disk, "b") === null) lost++;
    }
    expect(lost).toBeGreaterThan(55);
  });
});
