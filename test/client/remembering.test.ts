import { expect, test } from "bun:test";
import { remembering } from "../../src/client/fetch/remembering.ts";

/** Fetches that tell what was asked for; those of piece 9 fail. */
function telling() {
  const asked: string[] = [];
  const fetch = async (piece: number, offset: number, most: number): Promise<Uint8Array> => {
    asked.push([piece, offset, most].join());
    if (piece === 9) throw new Error("gone");
    return new Uint8Array([piece, offset, most]);
  };
  return { asked, fetch };
}

test("what was fetched, or is on its way, is not fetched again", async () => {
  const { asked, fetch } = telling();
  const again = remembering(fetch, 3);
  const [one, other] = await Promise.all([again(1, 0, 5), again(1, 0, 5)]);
  expect(other).toBe(one);
  expect(await again(1, 0, 5)).toEqual(new Uint8Array([1, 0, 5]));
  await Promise.all([again(2, 0, 5), again(1, 4, 5), again(1, 0, 6)]);
  expect(asked).toEqual(["1,0,5", "2,0,5", "1,4,5", "1,0,6"]);
});

test("only the latest are kept: what was not asked for the longest time goes", async () => {
  const { asked, fetch } = telling();
  const again = remembering(fetch, 2);
  for (const piece of [1, 2, 1, 3, 1, 2]) await again(piece, 0, 5);
  expect(asked).toEqual(["1,0,5", "2,0,5", "3,0,5", "2,0,5"]);
});

test("what failed is tried again", async () => {
  const { asked, fetch } = telling();
  const again = remembering(fetch, 2);
  for (let i = 0; i < 2; i++) expect(await again(9, 0, 5).catch(String)).toBe("Error: gone");
  expect(asked).toEqual(["9,0,5", "9,0,5"]);
});
