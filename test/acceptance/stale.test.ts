/**
 * A server that was dead while files were replaced comes back with old versions: no get may bring them, or parts of them.
 * ACCEPTANCE=full runs all 50 rounds.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { createHash } from "node:crypto";
import { removeFolders } from "../harness/program.ts";
import { Stage } from "../harness/stage.ts";

setDefaultTimeout(300_000);

const ROUNDS = process.env.ACCEPTANCE === "full" ? 50 : 12;

/** Of each kind one: all in the catalog; in files, of one chunk; of several chunks. */
const FILES = { small: 2000, medium: 300_000, large: 3_000_000 };

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open(4);
});
afterAll(async () => {
  await stage.close();
  removeFolders();
});

/** Each 1,000 bytes tell of which round they are, so that a mixture is seen for what it is. */
const contentOf = (name: string, round: number, bytes: number): Buffer =>
  Buffer.alloc(bytes, `${name} of round ${round} `.padEnd(1000, "-"));

const digestOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** Are these files, by any server's word, the versions of this round? */
async function checkRound(round: number): Promise<void> {
  for (const [name, bytes] of Object.entries(FILES)) {
    const got = digestOf(await stage.get(name));
    expect({ round, name, got }).toEqual({
      round,
      name,
      got: digestOf(contentOf(name, round, bytes)),
    });
  }
}

const putRound = (round: number): Promise<unknown> =>
  Promise.all(
    Object.entries(FILES).map(([name, bytes]) => stage.put(name, contentOf(name, round, bytes))),
  );

test(`${ROUNDS} rounds: overwritten while one server is dead`, async () => {
  await putRound(0);
  for (let round = 1; round <= ROUNDS; round++) {
    // Every server in its turn, and every pair of one that is stale and one that is dead.
    const dead = round % 4;
    await stage.without([dead], async () => {
      await putRound(round);
      await checkRound(round);
    });
    await checkRound(round);
    const other = (dead + 1 + (Math.floor(round / 4) % 3)) % 4;
    await stage.without([other], () => checkRound(round));
  }
});
