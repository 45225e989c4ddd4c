/**
 * What a simulated database keeps: every commit that was synced, and of the others a prefix by
 * chance.
 */
import { expect, test } from "bun:test";
import type { Database } from "bun:sqlite";
import type { Machine } from "./machine.ts";
import { SimDisk } from "./disk.ts";
import { World } from "./world.ts";

const SEEDS = 100;
const PATH = "d/catalog.sqlite";

interface Scene {
  readonly world: World;
  readonly disk: SimDisk;
  machine: Machine;
}

function scene(seed: number): Scene {
  const world = new World(seed);
  const disk = new SimDisk(world, "m");
  const machine = world.machine("m");
  world.finish(disk.of(machine).makeFolder("d"));
  return { world, disk, machine };
}

function open({ disk, machine }: Scene): Database {
  const db = disk.of(machine).database(PATH);
  db.run("PRAGMA locking_mode=EXCLUSIVE");
  db.run("PRAGMA journal_mode=WAL");
  return db;
}

/** The machine dies; with its power or without. */
function restart(s: Scene, how: { power: boolean }): Database {
  s.world.kill(s.machine);
  if (how.power) s.disk.crash();
  s.machine = s.world.machine("m");
  s.world.finish(s.disk.of(s.machine).makeFolder("d"));
  return open(s);
}

const create = (db: Database): void =>
  void db.run("CREATE TABLE IF NOT EXISTS t (v INTEGER PRIMARY KEY)");

/** One transaction as the catalog runs it. */
function commit(db: Database, mode: "FULL" | "NORMAL", ...values: number[]): void {
  db.run(`PRAGMA synchronous=${mode}`);
  db.run("BEGIN IMMEDIATE");
  for (const v of values) db.query("INSERT OR IGNORE INTO t VALUES (?)").run(v);
  db.run("COMMIT");
}

const rows = (db: Database): string =>
  db
    .query<{ v: number }, []>("SELECT v FROM t ORDER BY v")
    .all()
    .map(({ v }) => v)
    .join();

/** What is left after `work` and a loss of power, over many seeds. */
function left(work: (db: Database, s: Scene) => void): Set<string> {
  const seen = new Set<string>();
  for (let seed = 1; seed <= SEEDS; seed++) {
    const s = scene(seed);
    const db = open(s);
    create(db);
    work(db, s);
    seen.add(rows(restart(s, { power: true })));
  }
  return seen;
}

test("a commit at FULL is never lost, and takes all before it along", () => {
  expect(left((db) => commit(db, "FULL", 1))).toEqual(new Set(["1"]));
  const both = left((db) => {
    commit(db, "NORMAL", 1);
    commit(db, "FULL", 2);
  });
  expect(both).toEqual(new Set(["1,2"]));
});

test("commits at NORMAL are kept or lost, in order", () => {
  const seen = left((db) => {
    commit(db, "FULL", 1);
    commit(db, "NORMAL", 2);
    commit(db, "NORMAL", 3);
  });
  expect(seen).toEqual(new Set(["1", "1,2", "1,2,3"]));
});

test("a commit at FULL that writes nothing syncs nothing", () => {
  const seen = left((db) => {
    commit(db, "FULL", 1);
    commit(db, "NORMAL", 2);
    commit(db, "FULL", 2);
    commit(db, "FULL");
    create(db);
  });
  expect(seen).toEqual(new Set(["1", "1,2"]));
});

test("a statement alone is a transaction, however it is run", () => {
  const insert = "INSERT INTO t VALUES (2)";
  const ways: ((db: Database) => unknown)[] = [
    (db) => db.run(insert),
    (db) => db.exec(insert),
    (db) => db.query(insert).run(),
    (db) => db.prepare(insert).run(),
    (db) => db.query(`${insert} RETURNING v`).get(),
  ];
  for (const way of ways) {
    for (const [mode, want] of [
      ["FULL", ["1,2"]],
      ["NORMAL", ["1", "1,2"]],
    ] as const) {
      const seen = left((db) => {
        commit(db, "FULL", 1);
        db.run(`PRAGMA synchronous=${mode}`);
        way(db);
      });
      expect(seen).toEqual(new Set(want));
    }
  }
});

test("a checkpoint and an orderly close make all durable", () => {
  const checkpoint = left((db) => {
    commit(db, "NORMAL", 1);
    db.query("PRAGMA wal_checkpoint(TRUNCATE)").get();
  });
  expect(checkpoint).toEqual(new Set(["1"]));
  const closed = left((db) => {
    commit(db, "NORMAL", 1);
    db.close();
  });
  expect(closed).toEqual(new Set(["1"]));
});

test("a transaction that did not end is undone; one that was rolled back too", () => {
  const seen = left((db) => {
    commit(db, "FULL", 1);
    db.run("BEGIN IMMEDIATE");
    db.run("INSERT INTO t VALUES (2)");
    db.run("ROLLBACK");
    db.run("BEGIN IMMEDIATE");
    db.run("INSERT INTO t VALUES (3)");
  });
  expect(seen).toEqual(new Set(["1"]));
});

test("a killed process loses no commit; a loss of power later may take what it had not synced", () => {
  const seen = new Set<string>();
  for (let seed = 1; seed <= SEEDS; seed++) {
    const s = scene(seed);
    const db = open(s);
    create(db);
    commit(db, "FULL", 1);
    commit(db, "NORMAL", 2);
    const second = restart(s, { power: false });
    expect(rows(second)).toBe("1,2");
    commit(second, "NORMAL", 3);
    if (seed % 2 === 0) second.run("PRAGMA wal_checkpoint(TRUNCATE)");
    const after = rows(restart(s, { power: true }));
    if (seed % 2 === 0) expect(after).toBe("1,2,3");
    else seen.add(after);
  }
  expect(seen).toEqual(new Set(["1", "1,2", "1,2,3"]));
});

test("one process has it open at a time", () => {
  const s = scene(1);
  const db = open(s);
  create(db);
  expect(() => open(s)).toThrow("database is locked");
  db.close();
  const again = open(s);
  expect(rows(again)).toBe("");
  expect(rows(restart(s, { power: false }))).toBe("");
});

test("a sync that fails is an I/O error, and nobody knows whether the commit is kept", () => {
  const seen = left((db, { disk }) => {
    commit(db, "FULL", 1);
    disk.failNextSync = true;
    expect(() => commit(db, "FULL", 2)).toThrow("disk I/O error");
  });
  expect(seen).toEqual(new Set(["1", "1,2"]));
});

test("a full disk refuses a transaction and leaves the database as it was", () => {
  const s = scene(1);
  const db = open(s);
  db.run("CREATE TABLE b (v BLOB)");
  s.disk.capacityBytes = s.disk.usedBytes + 20_000;
  db.run("BEGIN IMMEDIATE");
  let code: unknown;
  try {
    db.query("INSERT INTO b VALUES (?)").run(new Uint8Array(50_000));
  } catch (error) {
    code = (error as { code?: string }).code;
  }
  expect(code).toBe("SQLITE_FULL");
  expect(db.inTransaction).toBe(false);
  db.query("INSERT INTO b VALUES (?)").run(new Uint8Array(5000));
  s.disk.capacityBytes = 2 ** 40;
  db.query("INSERT INTO b VALUES (?)").run(new Uint8Array(50_000));
  expect(db.query("SELECT count(*) AS n FROM b").get()).toEqual({ n: 2 });
});

test("an image is put in place for many histories, looked at, and damaged", () => {
  const s = scene(1);
  const db = open(s);
  create(db);
  commit(db, "FULL", 1, 2);
  const image = s.disk.databaseImage(PATH)!;
  expect(s.disk.openDatabase(PATH)?.query("SELECT count(*) AS n FROM t").get()).toEqual({ n: 2 });
  expect(() => s.disk.flip(PATH, 0)).toThrow();

  const other = scene(2);
  other.disk.putDatabase(PATH, image);
  const copy = open(other);
  expect(rows(copy)).toBe("1,2");
  other.world.kill(other.machine);
  other.disk.flip(PATH, 0, 0xff);
  other.machine = other.world.machine("m");
  expect(() => open(other).query("SELECT * FROM t").all()).toThrow();
  expect(rows(db)).toBe("1,2");
});
