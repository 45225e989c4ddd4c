/** A byte of a stopped server's catalog rots: started again it refuses to serve, or is right; never does it tell a wrong state. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Commands } from "./commands.ts";
import { contentOf, isSame, valueOf } from "./contents.ts";
import { labelOf, PAIRS, type Read, readThrough } from "./read_through.ts";
import { Servers } from "./servers.ts";
import { Failure, type Scenario, type Stage } from "./stage.ts";

/** What is looked for in the catalog, besides bytes anywhere: there most of what is not checked by itself would be. */
const LANDMARKS = [
  "floor",
  "sid",
  "membership",
  "born",
  "u:",
  "kept",
  "replaced",
  "deleted",
  "large",
  "gone",
];
const PAGE_BYTES = 4096;
/** Four pieces, each on two servers. */
const COPIES_OF_ONE = 8;

export const rotCatalog: Scenario = {
  name: "rot_catalog",
  async play(stage) {
    const run = new CatalogRot(stage);
    await run.begin();
    const trials = stage.size(400, 10);
    for (let i = 1; i <= trials; i++) await run.trial(i);
    const { refused, served, ended, reads, honest } = run;
    return `${trials} flipped bytes: ${refused} starts refused, ${served} served, of which ${ended} ended once the damage was met; ${reads} reads, of which ${honest} said that they cannot tell`;
  },
};

class CatalogRot {
  refused = 0;
  served = 0;
  /** Servers that ended, saying why, when they met with damage that a start does not look for. */
  ended = 0;
  reads = 0;
  /** Reads that ended with an error, as they may where a server does not count. */
  honest = 0;
  readonly #stage: Stage;
  readonly #servers: Servers;
  readonly #commands: Commands;
  /** What is current; null is deleted. */
  readonly #truth = new Map<string, Uint8Array | null>();
  /** All catalogs as they were. */
  readonly #sound: Buffer[] = [];
  #value = 0;

  constructor(stage: Stage) {
    this.#stage = stage;
    // Nothing that a trial condemns may really go, for the next one begins anew.
    const flags = ["--trash-grace", "100000"];
    this.#servers = new Servers(stage, () => ({ flags }));
    this.#commands = new Commands(this.#servers);
  }

  #pathOf(slot: number): string {
    return join(this.#servers.at(slot).folder, "catalog.sqlite");
  }

  #sidOf(slot: number): Uint8Array {
    const format = readFileSync(join(this.#servers.at(slot).folder, "format.json"), "utf8");
    return Uint8Array.fromHex((JSON.parse(format) as { sid: string }).sid);
  }

  async #put(name: string, bytes: number): Promise<void> {
    const data = contentOf(++this.#value, bytes);
    await this.#commands.mustPut(name, data);
    this.#truth.set(name, data);
  }

  async #remove(name: string): Promise<void> {
    const { status } = await this.#commands.remove(name);
    if (status !== 0) throw new Failure(`rm ${name} ends with ${status}`);
    this.#truth.set(name, null);
  }

  /** Files small and large, one put while a server was down, deletions remembered and deletions forgotten. */
  async begin(): Promise<void> {
    await this.#servers.start();
    for (const name of ["kept", "kept/1", "kept/2", "replaced", "deleted", "gone"])
      await this.#put(name, 3000);
    await this.#put("large", 400_000);
    await this.#remove("gone");
    // Once all servers know of it, the deletion is forgotten, and only floors tell of it.
    await this.#commands.repair();
    await this.#servers.without([this.#stage.rng.int(4)], async () => {
      await this.#put("replaced", 5000);
      await this.#put("new", 60_000);
      await this.#remove("deleted");
    });
    await this.#commands.mustGetAll(this.#present, "before any damage");
    await this.#servers.stop();
    for (const slot of this.#servers.slots) this.#sound.push(readFileSync(this.#pathOf(slot)));
  }

  get #present(): Map<string, Uint8Array> {
    return new Map([...this.#truth].flatMap(([name, data]) => (data ? [[name, data]] : [])));
  }

  async trial(i: number): Promise<void> {
    const { rng } = this.#stage;
    for (const [slot, bytes] of this.#sound.entries()) {
      rmSync(`${this.#pathOf(slot)}-wal`, { force: true });
      writeFileSync(this.#pathOf(slot), bytes);
    }
    // What clients remember is newer than that, and they would say so.
    rmSync(`${this.#servers.config}.seen`, { force: true });
    const victim = rng.int(4);
    const server = this.#servers.at(victim);
    const { offset, landmark } = this.#pick(victim);
    const sound = this.#sound[victim]?.[offset] ?? 0;
    const bit = 1 << rng.int(8);
    const rotten = rng.chance(0.5) ? sound ^ bit : rng.int(256);
    const bytes = Buffer.from(this.#sound[victim] ?? "");
    bytes[offset] = rotten;
    // In place: a file made anew would be taken for a copy.
    writeFileSync(this.#pathOf(victim), bytes);
    const what = `trial ${i}: byte ${offset} ${landmark} of ${server.name}'s catalog ${sound} → ${rotten}`;
    this.#stage.note(what);

    const others = this.#servers.slots.filter((slot) => slot !== victim);
    await this.#servers.start(others);
    const refusal = await server.start().then(
      () => null,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
    if (refusal === null) this.served++;
    else this.#checkRefusal(refusal, what);
    const pairs = PAIRS.filter((pair) => refusal === null || !pair.includes(victim));
    for (const slots of [...pairs, this.#servers.slots]) await this.#readAll(slots, what);
    if (rng.chance(0.5)) await this.#repair(what, refusal === null, victim);
    await Promise.all(this.#servers.all.map((one) => one.kill()));
    if (server.endedSaying(/the catalog is damaged/)) this.ended++;
  }

  /** A byte anywhere; or close to something that matters, or in the head of a page. */
  #pick(victim: number): { offset: number; landmark: string } {
    const { rng } = this.#stage;
    const bytes = this.#sound[victim] ?? Buffer.alloc(1);
    const dice = rng.fraction();
    if (dice < 0.3) return { offset: rng.int(bytes.length), landmark: "(anywhere)" };
    if (dice < 0.45) {
      const page = rng.int(bytes.length / PAGE_BYTES);
      return {
        offset: page * PAGE_BYTES + rng.int(page === 0 ? 200 : 40),
        landmark: `(head of page ${page + 1})`,
      };
    }
    const landmark = rng.pick([...LANDMARKS, "configuration"]);
    // The configuration has the ids of all servers in it.
    const sought = landmark === "configuration" ? this.#sidOf(rng.int(4)) : landmark;
    const places: number[] = [];
    for (let at = bytes.indexOf(sought); at >= 0; at = bytes.indexOf(sought, at + 1))
      places.push(at);
    if (places.length === 0) return { offset: rng.int(bytes.length), landmark: "(anywhere)" };
    const offset = rng.pick(places) + rng.between(-20, landmark.length + 3);
    return {
      offset: Math.max(0, Math.min(bytes.length - 1, offset)),
      landmark: `(near "${landmark}")`,
    };
  }

  /** It says in a line or two what is wrong, and does not fall over. */
  #checkRefusal(refusal: string, what: string): void {
    this.refused++;
    const isOrderly = !/neither serves|unexpected error/.test(refusal);
    if (
      isOrderly &&
      /damaged|malformed|lost|cannot be opened|newer|does not read|does not verify/.test(refusal)
    )
      return;
    throw new Failure(`${what}: it refuses to start with ${refusal}`);
  }

  async #readAll(slots: readonly number[], what: string): Promise<void> {
    const through = `${what}, through ${labelOf(slots)}`;
    const open = readThrough(this.#servers, slots, [...this.#truth.keys()]);
    const reads = await open.catch((error: unknown) => {
      // Whatever one server says, the three others are a cluster.
      if (slots.length === 4) throw new Failure(`${through}: ${String(error)}`);
      this.#stage.note(`${through}: ${String(error)}`);
      return [];
    });
    for (const read of reads) this.#judge(read, slots.length === 4, through);
  }

  #judge({ name, outcome, data, why }: Read, isAll: boolean, when: string): void {
    this.reads++;
    const expected = this.#truth.get(name) ?? null;
    const isRight =
      outcome === "done"
        ? expected !== null && isSame(data, expected)
        : outcome === "noSuchName" && expected === null;
    if (isRight) return;
    const isHonest = outcome === "incomplete" || outcome === "tooFew" || outcome === "integrity";
    if (!isHonest || isAll)
      throw new Failure(
        `${when}: get ${name} ends with ${outcome}${outcome === "done" ? ` and content ${valueOf(data)}` : ""} (${why}); it should be ${expected ? `content ${valueOf(expected)}` : "deleted"}`,
      );
    this.honest++;
  }

  /** What is all good is all there; and damage is told in words. */
  async #verify(when: string): Promise<void> {
    const { status, out, err } = await this.#servers.run(["verify", "--json"]);
    const copies = COPIES_OF_ONE * this.#present.size;
    if (status === 0 && !out.includes(`"copies":${copies},`))
      throw new Failure(`${when}: verify ends with 0 and ${out}`);
    const { out: table } = await this.#servers.run(["status"]);
    const said = /fromHex|TypeError|unexpected|SQLITE/.exec(out + err + table);
    if (said) throw new Failure(`${when}: ${said[0]} is said`, [out, err, table]);
  }

  /** Repair, whatever it thinks of the damage, changes nothing that matters. */
  async #repair(what: string, isServed: boolean, victim: number): Promise<void> {
    const when = `${what}, ${isServed ? "" : "the server refuses to serve, "}repaired`;
    const sums = await this.#commands.repairOnce();
    if (sums.lost > 0)
      throw new Failure(`${when}: ${sums.lost} pieces lost`, [JSON.stringify(sums)]);
    await this.#verify(when);
    await this.#readAll(this.#servers.slots, when);
    for (const pair of PAIRS)
      if (isServed || !pair.includes(victim)) await this.#readAll(pair, when);
    // The others must not have lost anything by it.
    if (isServed) await this.#servers.at(victim).kill();
    await this.#commands.mustGetAll(this.#present, `${when}, without it`);
  }
}
