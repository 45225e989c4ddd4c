/** Many clients at once: half on names of their own, half all on one name, puts and gets mixed. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { newFolder, removeFolders } from "../harness/program.ts";
import { writeOwned } from "../harness/password.ts";
import { configOf, expectDone, Stage } from "../harness/stage.ts";

setDefaultTimeout(180_000);

const CLIENTS = 32;
const ROUNDS = 3;

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open(4);
});
afterAll(async () => {
  await stage.close();
  removeFolders();
});

/** A put or a get of the common name: which version it was of, and between which times it happened. */
interface Event {
  readonly digest: string;
  readonly began: number;
  readonly ended: number;
}

const digestOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** A content of which each 1,000 bytes tell whose it is; and the shortest whole too. */
function contentOf(client: number, round: number): Buffer {
  const bytes = [40, 3000, 70_000, 400_000, 1_500_000][(client + round) % 5]!;
  return Buffer.alloc(bytes, `client ${client} round ${round} `.padEnd(1000, "."));
}

async function timed(work: () => Promise<Buffer>): Promise<Event> {
  const began = performance.now();
  const bytes = await work();
  return { digest: digestOf(bytes), began, ended: performance.now() };
}

class Client {
  readonly #number: number;
  readonly #folder = newFolder();

  constructor(number: number) {
    this.#number = number;
  }

  async put(name: string, bytes: Buffer): Promise<Buffer> {
    writeFileSync(join(this.#folder, "out"), bytes);
    expectDone(await stage.dfsIn(this.#folder, "put", "--name", name, "out"));
    return bytes;
  }

  async get(name: string): Promise<Buffer> {
    expectDone(await stage.dfsIn(this.#folder, "get", name, "-o", "in"));
    return readFileSync(join(this.#folder, "in"));
  }

  /** Its own name is nobody else's business: what it reads is what it wrote last. */
  async alone(): Promise<void> {
    const name = `own ${this.#number}`;
    for (let round = 0; round < ROUNDS; round++) {
      const bytes = await this.put(name, contentOf(this.#number, round));
      expect((await this.get(name)).equals(bytes)).toBe(true);
    }
  }

  async together(puts: Event[], gets: Event[]): Promise<void> {
    for (let round = 0; round < ROUNDS; round++) {
      const put = () =>
        timed(() => this.put("common", contentOf(this.#number, round))).then((e) => puts.push(e));
      const get = () => timed(() => this.get("common")).then((e) => gets.push(e));
      for (const work of this.#number % 2 === 0 ? [put, get] : [get, put]) await work();
    }
  }
}

/** A version may be read if its put began before the reading ended, and no other put lies wholly between the two. */
function mayBeRead(put: Event, reading: Event, puts: readonly Event[]): boolean {
  const isReplaced = puts.some(({ began, ended }) => began > put.ended && ended < reading.began);
  return put.began < reading.ended && !isReplaced;
}

/** Is each of these readings of one whole version, which was current at some time of the reading? */
function checkReadings(readings: readonly Event[], puts: readonly Event[]): void {
  for (const reading of readings) {
    const put = puts.find(({ digest }) => digest === reading.digest);
    expect(put).toBeDefined();
    expect(put && mayBeRead(put, reading, puts)).toBe(true);
  }
}

test("32 clients: no error, whole versions only, the last state is one of those put", async () => {
  const first = await timed(() => new Client(-1).put("common", Buffer.from("the first")));
  const puts: Event[] = [first];
  const gets: Event[] = [];
  const clients = Array.from({ length: CLIENTS }, (_, i) => new Client(i));
  const half = CLIENTS / 2;
  await Promise.all([
    ...clients.slice(0, half).map((client) => client.alone()),
    ...clients.slice(half).map((client) => client.together(puts, gets)),
  ]);
  expect([puts.length, gets.length]).toEqual([1 + half * ROUNDS, half * ROUNDS]);
  checkReadings(gets, puts);

  const last = await Promise.all(
    [0, 1, 2, 3].map((slot) => timed(() => new Client(100 + slot).get("common"))),
  );
  expect(new Set(last.map(({ digest }) => digest)).size).toBe(1);
  checkReadings(last, puts);
  // And whichever server is lost, it stays that.
  for (const slot of [0, 1, 2, 3]) {
    const left = await stage.without([slot], () => timed(() => new Client(200).get("common")));
    expect(left.digest).toBe(last[0]!.digest);
  }
  const own = Array.from({ length: half }, (_, i) => `own ${i}`);
  const { out } = await stage.dfs("list");
  expect(out.trimEnd().split("\n")).toEqual(["common", ...own].toSorted());
});

test("clients that meet new servers all at once make one cluster", async () => {
  const fresh = await Stage.open(4);
  try {
    const spelt = join(newFolder(), "dfc.conf");
    writeOwned(spelt, configOf(fresh.servers, "localhost"));
    const names = Array.from({ length: 12 }, (_, i) => `name-${i + 10}`);
    const folder = newFolder();
    for (const name of names) writeFileSync(join(folder, name), name.repeat(1000));
    const ran = await Promise.all(
      names.map((name, i) =>
        fresh.dfsIn(folder, "put", "--config", i % 2 ? spelt : fresh.config, name),
      ),
    );
    ran.forEach(expectDone);
    expect((await fresh.dfs("list")).out).toBe(names.map((name) => `${name}\n`).join(""));
  } finally {
    await fresh.close();
  }
});
