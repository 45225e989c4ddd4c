/** Disks of different sizes are a normal state: once the smallest is full its pieces lie elsewhere, and everything says that all is well. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { canMount, unmountDisks } from "./small_disks.ts";
import { expectDone, Stage } from "../harness/stage.ts";

setDefaultTimeout(120_000);

const MIB = 1024 * 1024;
/** 1 : 4 : 4 : 4; of each 8 MiB stay free. */
const SIZES = [24, 96, 96, 96];
const FILES = 5;

interface StatusJson {
  readonly status: string;
  readonly canLose: number;
  readonly displaced: number;
  readonly used: number;
  readonly free: number;
  readonly usable: number;
  readonly toDo: Readonly<Record<string, number>>;
}

describe.skipIf(!canMount())(
  "four disks of sizes 1:4:4:4 (takes root, to make small disks)",
  () => {
    let stage: Stage;
    beforeAll(async () => {
      stage = await Stage.open(4, { disksMib: SIZES });
    });
    afterAll(async () => {
      await stage.close();
      unmountDisks();
    });

    const status = async (): Promise<StatusJson> =>
      JSON.parse((await stage.dfs("status", "--json")).out) as StatusJson;

    test("an empty cluster promises what its layout keeps, and tells what fits", async () => {
      const { status: word, canLose, used, free, usable } = await status();
      expect({ word, canLose, used }).toEqual({ word: "HEALTHY", canLose: 1, used: 0 });
      expect(free / MIB).toBeWithin(270, 281);
      expect(usable / MIB).toBeWithin(135, 141);
    });

    test("when all is stored it is healthy, and the pieces that found no room at home are told once", async () => {
      for (let i = 1; i <= FILES; i++) await stage.put(`f${i}`, randomBytes(15 * MIB));
      const { status: exit, out } = await stage.dfs("status");
      expect(out).toStartWith(
        "HEALTHY, can lose 1 more server\n5 files, 75 MiB\nused 150 MiB, free ",
      );
      expect(exit).toBe(0);
      expect(out).toMatch(
        /^\d+ pieces lie on other servers than at home, where there is no room: /m,
      );
      expect(out).not.toContain("missing at home");
      expect(out).not.toContain("away from home");
      // Whoever puts a file has no part in that.
      const path = join(stage.home, "more");
      writeFileSync(path, randomBytes(15 * MIB));
      expect(await stage.dfs("put", "--name", "f5", path)).toEqual({ status: 0, out: "", err: "" });
      const { displaced, toDo } = await status();
      expect(displaced).toBeGreaterThan(0);
      expect(toDo).toMatchObject({ lacking: 0, astray: 0 });
    });

    test("repair ends with 0 and does not try again and again, verify finds all good", async () => {
      for (const flags of [["--dry-run"], [], []]) {
        const ran = await stage.dfs("repair", ...flags);
        expect(ran.out).toMatch(
          /^nothing to repair; \d+ copies stay elsewhere, for there is no room at home\n$/,
        );
        expect(ran).toMatchObject({ status: 0, err: "" });
      }
      const verified = await stage.dfs("verify");
      expect(verified.out).toContain("all good");
      expect(verified.status).toBe(0);
      expect(await status()).toMatchObject({ status: "HEALTHY", canLose: 1 });
      expect((await stage.dfs("status", "--strict")).status).toBe(3);
    });

    test("whatever server is lost, all files can be had", async () => {
      for (const lost of [0, 1, 2, 3])
        await stage.without([lost], async () => {
          for (let i = 1; i <= FILES; i++) expect((await stage.get(`f${i}`)).length).toBe(15 * MIB);
        });
    });

    test("with room at home again the pieces come home", async () => {
      expectDone(await stage.dfs("rm", "f1", "f2", "f3"));
      expectDone(await stage.dfs("repair"));
      expect(await status()).toMatchObject({
        status: "HEALTHY",
        displaced: 0,
        toDo: { astray: 0 },
      });
    });
  },
);
