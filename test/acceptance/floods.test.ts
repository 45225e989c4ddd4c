/** Floods of peers that mean harm, against a server that may have few files open: it lives, stays small, and serves others. */
import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { attack, type AttackKind, fill, type Target } from "./attack.ts";
import { removeFolders } from "../harness/program.ts";
import { login, user } from "../harness/password.ts";
import { type ServerProcess, Stage } from "../harness/stage.ts";

setDefaultTimeout(120_000);

/** What the specification allows a server, in bytes. */
const MEMORY_BYTES = 200e6;
const DESCRIPTORS = 1024;
const FLOOD_MS = 8000;

const content = randomBytes(3_000_000);
let stage: Stage;
let victim: ServerProcess;
let pid = 0;
let stop: () => void = () => {};
beforeAll(async () => {
  const launcher = ["sh", "-c", `ulimit -n ${DESCRIPTORS}; exec "$0" "$@"`];
  stage = await Stage.open(1, { launcher });
  victim = stage.server(0);
  pid = victim.pid;
  await stage.put("file", content);
  await fill(await target(1));
});
afterEach(() => stop());
afterAll(async () => {
  await stage.close();
  removeFolders();
});

async function target(count: number): Promise<Target> {
  const [credentials = null] = await Promise.all(login?.credentials ?? []);
  return { port: victim.port, count, credentials };
}

const FLOODS: [AttackKind, number][] = [
  ["idle", 1100],
  ["idleKnown", 1100],
  ["drip", 200],
  ["dripKnown", 200],
  ["hellos", 24],
  ["lists", 24],
  ["endless", 24],
  ["uploads", 4],
];

test.each(FLOODS)("%s over %d connections", async (kind, count) => {
  // From here on the peak of its memory is that of this flood.
  writeFileSync(`/proc/${pid}/clear_refs`, "5");
  stop = attack(kind, await target(count));
  const until = performance.now() + FLOOD_MS;
  do {
    expect(await stage.get("file")).toEqual(content);
    const bytes = randomBytes(300_000);
    await stage.put("other", bytes);
    expect(await stage.get("other")).toEqual(bytes);
    await Bun.sleep(500);
  } while (performance.now() < until);
  stop();
  expect([victim.isUp, victim.pid]).toEqual([true, pid]);
  const { peak, now } = victim.memory;
  console.log(
    `${kind}, ${user || "nobody"}: ${Math.round(peak / 1e6)} MB at most, now ${Math.round(now / 1e6)}`,
  );
  expect(peak).toBeLessThan(MEMORY_BYTES);
  expect((await stage.stat("other")).servers[0]?.up).toBe(true);
});
