import { expect, test } from "bun:test";
import { SlowDisk } from "../../src/server/process/slow_disk.ts";
import type { Clock, Disk, OpenFile, Notice } from "../../src/io/ports.ts";

/** A clock that is set by hand, and a disk whose file takes as long as it is told to. */
function slow() {
  let ms = 0;
  let timers: { at: number; fn: () => void }[] = [];
  const told: Notice[] = [];
  const clock: Clock = {
    now: () => ms,
    wall: () => ms,
    after(after, fn) {
      const timer = { at: ms + after, fn };
      timers.push(timer);
      return () => (timers = timers.filter((one) => one !== timer));
    },
  };
  const pass = (time: number, isAtOnce = false): void => {
    const until = ms + time;
    if (isAtOnce) ms = until;
    for (;;) {
      const next = timers.toSorted((a, b) => a.at - b.at)[0];
      if (!next || next.at > until) break;
      timers = timers.filter((one) => one !== next);
      ms = Math.max(ms, next.at);
      next.fn();
    }
    ms = until;
  };
  let end: () => void = () => {};
  const nothing = async (): Promise<void> => {};
  const file: OpenFile = {
    read: async () => 0,
    write: nothing,
    sync: () => new Promise((resolve) => (end = resolve)),
    close: nothing,
  };
  const disk = new SlowDisk(clock, (one) => told.push(one));
  const watched = disk.watch({ open: async () => file } as unknown as Disk);
  return { watched, pass, told, end: () => end(), disk };
}

test("what is quick is not told", async () => {
  const { watched, pass, told, end } = slow();
  const file = await watched.open("a", "create");
  const done = file.sync();
  pass(2900);
  end();
  await done;
  pass(60_000);
  expect(told).toEqual([]);
});

test("what has not ended is told once, and once more when it has", async () => {
  const { watched, pass, told, end } = slow();
  const file = await watched.open("a", "create");
  const done = file.sync();
  pass(60_000);
  expect(told.map(({ line }) => line)).toEqual([
    "the disk has been asked to sync 3.0 s ago, and has not yet",
  ]);
  end();
  await done;
  expect(told[1]).toMatchObject({
    level: "warning",
    event: "disk-slow",
    line: "the disk took 60.0 s to sync",
    facts: { what: "sync", ms: 60_000 },
  });
});

test("that nothing at all went on is told", () => {
  const { pass, told, disk } = slow();
  pass(10_000, true);
  expect(told).toMatchObject([{ event: "disk-slow", facts: { what: "run", ms: 9000 } }]);
  disk.stop();
  pass(20_000, true);
  expect(told).toHaveLength(1);
});
