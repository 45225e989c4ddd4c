/** A file that takes the place of another one: the power may go at any moment, and the disk may fail or be full. */
import { expect, test } from "bun:test";
import { replaceDurably } from "../../src/io/replace_durably.ts";
import { SimDisk } from "../sim/disk.ts";
import { World } from "../sim/world.ts";
import { errorOf } from "../harness/thrown.ts";

const OLD = Uint8Array.of(1, 2, 3);
const NEW = new Uint8Array(5000).fill(7);
const TIMES = 300;

/** A disk with the old file, or with none. */
function stage(seed: number, hasOld = true) {
  const world = new World(seed);
  const disk = new SimDisk(world, "m");
  disk.put("d/other", OLD);
  if (hasOld) disk.put("d/a", OLD);
  const machine = world.machine("m");
  return { world, disk, machine, port: disk.of(machine) };
}

test("after a loss of power there is the old file or all of the new one, and the new one once it is said to be", () => {
  const ends = new Set<string>();
  for (let seed = 1; seed <= TIMES; seed++) {
    const { world, disk, machine, port } = stage(seed);
    let isDone = false;
    const work = replaceDurably(port, "d", "d/a", NEW).then(() => (isDone = true));
    for (let events = seed % 12; events > 0 && !isDone; events--) {
      const before = world.events;
      world.run(() => isDone || world.events > before);
    }
    void work;
    world.kill(machine);
    disk.crash();
    const found = disk.files().get("d/a");
    const isNew = found?.length === NEW.length;
    expect(found).toEqual(isNew || isDone ? NEW : OLD);
    ends.add(`${isDone} ${isNew}`);
  }
  expect([...ends].toSorted()).toEqual(["false false", "false true", "true true"]);
});

test("what a crash has left is in nobody's way", () => {
  const { world, disk, port } = stage(1, false);
  disk.put("d/a.new", OLD);
  world.finish(replaceDurably(port, "d", "d/a", NEW));
  expect(Object.fromEntries(disk.files())).toEqual({ "d/other": OLD, "d/a": NEW });
});

test("where the disk is full the old file stays, and nothing of the new one; the error names the file", () => {
  const { world, disk, port } = stage(1);
  disk.capacityBytes = disk.usedBytes + NEW.length - 1;
  const work = replaceDurably(port, "d", "d/a", NEW);
  const { message } = errorOf("noRoom", () => world.finish(work));
  expect(message).toStartWith("d/a: ");
  expect(Object.fromEntries(disk.files())).toEqual({ "d/other": OLD, "d/a": OLD });
});
