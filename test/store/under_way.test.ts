/** What is still being put: for as long as a connection is open over which pieces of it came. */
import { expect, test } from "bun:test";
import { SENT_PER_CONNECTION } from "../../src/limits.ts";
import { UnderWay } from "../../src/store/pieces/under_way.ts";
import { vidOf } from "../harness/arbitraries.ts";
import { idOf, inFolder, pattern, SPACE, upload } from "../harness/folder.ts";
import { inStore } from "../harness/named.ts";

test("a version is under way until the last connection is closed over which it came", () => {
  const all = new UnderWay();
  const [one, other] = [all.sender(), all.sender()];
  for (const sender of [one, one, other]) sender.sends(vidOf(1));
  one.sends(vidOf(2));
  one.close();
  expect([1, 2, 3].map((n) => all.has(vidOf(n)))).toEqual([true, false, false]);
  other.close();
  other.close();
  expect(all.has(vidOf(1))).toBe(false);
});

test("a version is under way no more once its only sender gives it up", () => {
  const all = new UnderWay();
  const [one, other] = [all.sender(), all.sender()];
  for (const sender of [one, other]) sender.sends(vidOf(1));
  one.givesUp(vidOf(1));
  one.givesUp(vidOf(1));
  expect(all.has(vidOf(1))).toBe(true);
  other.givesUp(vidOf(1));
  expect(all.has(vidOf(1))).toBe(false);
  one.sends(vidOf(1));
  expect(all.has(vidOf(1))).toBe(true);
});

test("of one connection the last ones count", () => {
  const all = new UnderWay();
  const sender = all.sender();
  for (let n = 0; n <= SENT_PER_CONNECTION; n++) sender.sends(vidOf(n + 1));
  expect([1, 2, SENT_PER_CONNECTION + 1].map((n) => all.has(vidOf(n)))).toEqual([
    false,
    true,
    true,
  ]);
  sender.close();
  expect(all.has(vidOf(2))).toBe(false);
});

test("its pieces are told as new, however long ago they came, also where the clock was put forward", () =>
  inFolder(async (folder) => {
    const store = await folder.open();
    const vid = vidOf(1);
    const sender = store.pieces.underWay.sender();
    sender.sends(vid);
    await upload(store, idOf(vid, 0), pattern(100_000));
    folder.aheadMs = 7_200_000;
    expect(store.read(SPACE, inStore("a")).pending).toMatchObject([{ vid, age: 0 }]);
    sender.close();
    expect(store.read(SPACE, inStore("a")).pending).toMatchObject([{ vid, age: 7200 }]);
  }));
