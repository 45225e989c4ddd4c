/** Bytes of pieces rot: a get is right by the other copy and says so, repair mends it; where no copy is good, nothing is written. */
import { existsSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tableAndRoot } from "../../src/file/checksum.ts";
import { homes } from "../../src/file/placement.ts";
import { partBytes, partOffset } from "../../src/file/split.ts";
import { ringFrom } from "../harness/arbitraries.ts";
import type { Rng } from "../sim/random.ts";
import { Commands, exit, type StatJson } from "./commands.ts";
import { contentOf, isSame } from "./contents.ts";
import { isCopyGood } from "./read_through.ts";
import { Servers } from "./servers.ts";
import { Failure, Impossible, type Scenario, type Stage } from "./stage.ts";

interface Id {
  readonly name: string;
  readonly piece: number;
}

interface Damage {
  readonly kind: string;
  /** Are the piece's own bytes, or those that vouch for them, not what they were? */
  readonly shows: boolean;
  readonly do: (path: string, bytes: number, other: string, rng: Rng) => void;
}

function flip(path: string, offset: number): void {
  const data = readFileSync(path);
  data[offset] = (data[offset] ?? 0) ^ 0x40;
  // In place: a renamed file would be another one.
  writeFileSync(path, data, { flag: "r+" });
}

const DAMAGES: readonly Damage[] = [
  { kind: "a flipped byte", shows: true, do: (path, bytes, _, rng) => flip(path, rng.int(bytes)) },
  {
    kind: "a flipped byte in the sums",
    shows: true,
    do: (path, bytes, _, rng) => flip(path, bytes + rng.int(8)),
  },
  {
    kind: "a flipped byte in the footer",
    shows: false,
    do: (path, _bytes, _other, rng) => flip(path, statSync(path).size - 1 - rng.int(60)),
  },
  {
    kind: "a truncated file",
    shows: true,
    do: (path, bytes, _, rng) => truncateSync(path, rng.int(bytes)),
  },
  { kind: "an empty file", shows: true, do: (path) => truncateSync(path, 0) },
  { kind: "a lost file", shows: true, do: (path) => rmSync(path) },
  {
    kind: "a file in the place of another",
    shows: true,
    do: (path, _bytes, other) => {
      const [one, two] = [readFileSync(path), readFileSync(other)];
      writeFileSync(path, two);
      writeFileSync(other, one);
    },
  },
  {
    kind: "bytes of nothing at the end",
    shows: false,
    do: (path) => writeFileSync(path, new Uint8Array(1000), { flag: "a" }),
  },
];

export const rot: Scenario = {
  name: "rot",
  async play(stage) {
    // What it damages and how it is mended is told by comparing with the plain pieces.
    if (stage.person) throw new Impossible("it knows pieces as they are without a password");
    const run = new Rot(stage);
    await run.begin();
    for (let i = 0; i < stage.size(6, 1); i++)
      for (const damage of stage.rng.chance(0.5) ? DAMAGES : DAMAGES.toReversed())
        await run.one(damage);
    for (let i = 0; i < stage.size(12, 1); i++) await run.scattered();
    for (let i = 0; i < stage.size(12, 1); i++) await run.both();
    await run.end();
    const { damaged, said, mended, refused } = run;
    return `${damaged} pieces damaged, ${said} times said, ${mended} mended, ${refused} times refused for want of a good copy`;
  },
};

/** A piece's bytes, and the table of their sums. */
function wholeOf(vid: string, piece: number, data: Uint8Array): Uint8Array {
  const start = partOffset(data.length, 4, piece);
  const own = data.subarray(start, start + partBytes(data.length, 4, piece));
  return Buffer.concat([own, tableAndRoot(vid, piece, own).table]);
}

class Rot {
  damaged = 0;
  said = 0;
  mended = 0;
  refused = 0;
  readonly #stage: Stage;
  readonly #servers: Servers;
  readonly #commands: Commands;
  readonly #files = new Map<string, Uint8Array>();
  readonly #stats = new Map<string, StatJson>();
  #value = 0;

  constructor(stage: Stage) {
    this.#stage = stage;
    this.#servers = new Servers(stage);
    this.#commands = new Commands(this.#servers);
  }

  async begin(): Promise<void> {
    await this.#servers.start();
    for (const bytes of [300_000, 1_000_000, 5_000_000]) await this.#put(`f${bytes}`, bytes);
  }

  async #put(name: string, bytes: number): Promise<void> {
    const data = contentOf(++this.#value, bytes);
    await this.#commands.mustPut(name, data);
    this.#files.set(name, data);
    this.#stats.set(name, await this.#commands.stat(name));
  }

  #sizeOf(name: string, piece: number): number {
    return partBytes(this.#files.get(name)?.length ?? 0, 4, piece);
  }

  #pathOf(name: string, piece: number, slot: number): string {
    const { version = "" } = this.#stats.get(name) ?? {};
    return join(
      this.#servers.at(slot).folder,
      "pieces",
      version.slice(0, 2),
      `${version}.${piece}`,
    );
  }

  #homesOf(name: string, piece: number): number[] {
    return homes(ringFrom(this.#stats.get(name)?.x ?? 0, 4), piece, 2);
  }

  /**
   * Damages one copy of a piece, with the file of another piece on the same server where it takes two. Returns the pieces
   * that are damaged on this server now.
   */
  #harm({ kind, do: harm }: Damage, name: string, piece: number, slot: number): Id[] {
    const { rng } = this.#stage;
    const ids = [...this.#files.keys()].flatMap((one) =>
      [0, 1, 2, 3].map((at) => ({ name: one, piece: at })),
    );
    const pathOf = (id: Id): string => this.#pathOf(id.name, id.piece, slot);
    const path = pathOf({ name, piece });
    const other = rng.pick(ids.filter((id) => pathOf(id) !== path && existsSync(pathOf(id))));
    const before = statSync(pathOf(other)).mtimeMs;
    harm(path, this.#sizeOf(name, piece), pathOf(other), rng);
    const both = statSync(pathOf(other)).mtimeMs !== before;
    this.damaged++;
    this.#stage.note(`${kind}: piece ${piece + 1} of ${name} on DFS${slot + 1}`);
    return both ? [{ name, piece }, other] : [{ name, piece }];
  }

  /** First the one, then the other copy of a piece. Which of them a get reads is a matter of chance. */
  async one(damage: Damage): Promise<void> {
    const { rng } = this.#stage;
    const name = rng.pick([...this.#files.keys()]);
    const piece = rng.int(4);
    const slots = this.#homesOf(name, piece);
    for (const slot of this.#stage.size(slots, [rng.pick(slots)])) {
      const when = `${damage.kind} in piece ${piece + 1} of ${name} on DFS${slot + 1}`;
      const harmed = this.#harm(damage, name, piece, slot);
      if ((await this.#getAll(when)) !== "") this.said++;
      for (const id of harmed) await this.#readOnlyFrom(slot, id, damage.shows, when);
      await this.#mend(when);
    }
  }

  /** One copy of each piece of each file, here or there. */
  async scattered(): Promise<void> {
    const { rng } = this.#stage;
    const damages = DAMAGES.filter(({ shows, kind }) => shows && !kind.includes("another"));
    const ids = [...this.#files.keys()].flatMap((name) =>
      [0, 1, 2, 3].map((piece) => ({ name, piece })),
    );
    const harmed = ids
      .filter(() => rng.chance(0.7))
      .map((id) => ({ ...id, slot: rng.pick(this.#homesOf(id.name, id.piece)) }));
    for (const { name, piece, slot } of harmed) this.#harm(rng.pick(damages), name, piece, slot);
    if ((await this.#getAll("scattered damage")) !== "") this.said++;
    // What no get has read nobody knows of: repair alone does not see it.
    for (const { name, piece, slot } of harmed)
      if (await isCopyGood(this.#servers, slot, name, piece))
        throw new Failure(
          `piece ${piece + 1} of ${name} on DFS${slot + 1} is damaged, and reads well`,
        );
    await this.#mend("scattered damage");
  }

  /** Both copies of a piece. */
  async both(): Promise<void> {
    const { rng } = this.#stage;
    const name = rng.pick([...this.#files.keys()]);
    const piece = rng.int(4);
    const when = `both copies of piece ${piece + 1} of ${name} damaged`;
    // In the same place: of two copies that are damaged in different places a file can be put together.
    const offset = rng.int(this.#sizeOf(name, piece));
    for (const slot of this.#homesOf(name, piece)) {
      const path = this.#pathOf(name, piece, slot);
      if (rng.chance(0.5)) flip(path, offset);
      else truncateSync(path, offset);
      this.damaged++;
    }
    for (let i = 0; i < 2; i++) {
      const { status, out, err } = await this.#commands.get(name);
      if (status !== exit.integrity)
        throw new Failure(`${when}: get ends with ${status}: ${out}${err}`);
      this.refused++;
    }
    const { lost } = await this.#commands.repairOnce();
    if (lost !== 1) throw new Failure(`${when}: repair tells of ${lost} lost pieces`);
    const again = await this.#commands.get(name);
    if (again.status !== exit.integrity)
      throw new Failure(
        `${when}: after repair get ends with ${again.status}: ${again.out}${again.err}`,
      );
    await this.#put(name, this.#files.get(name)?.length ?? 0);
    await this.#commands.mustGetAll(this.#files, `${when}, put again`);
  }

  #getAll(when: string): Promise<string> {
    return this.#commands.mustGetAll(this.#files, when);
  }

  /** With the other home down only the damaged copy is left. */
  async #readOnlyFrom(slot: number, { name, piece }: Id, shows: boolean, when: string) {
    const others = this.#homesOf(name, piece).filter((other) => other !== slot);
    const expected = this.#files.get(name) ?? new Uint8Array();
    const alone = `${when}, the other home down`;
    await this.#servers.without(others, async () => {
      if (!shows) return void (await this.#commands.mustGet(name, expected, alone));
      const { status, out, err } = await this.#commands.get(name);
      if (status !== exit.integrity && status !== exit.incomplete)
        throw new Failure(`${alone}: get ends with ${status}: ${out}${err}`);
      this.refused++;
    });
  }

  /** After repair all is silent, and the very bytes on disk are right again. */
  async #mend(when: string): Promise<void> {
    const { restored } = await this.#commands.repair();
    this.mended += restored;
    const said = await this.#getAll(`${when}, repaired`);
    if (said !== "") throw new Failure(`${when}: after repair a get says ${said}`);
    for (const [name, data] of this.#files)
      for (let piece = 0; piece < 4; piece++)
        for (const slot of this.#homesOf(name, piece)) {
          const path = this.#pathOf(name, piece, slot);
          const held = existsSync(path) ? readFileSync(path) : new Uint8Array();
          const good = wholeOf(this.#stats.get(name)?.version ?? "", piece, data);
          if (!isSame(held.subarray(0, good.length), good))
            throw new Failure(
              `${when}: piece ${piece + 1} of ${name} on DFS${slot + 1} is not mended`,
            );
        }
  }

  async end(): Promise<void> {
    if (this.said < this.damaged / 10)
      throw new Failure(`of ${this.damaged} damages gets told of ${this.said}`);
    await this.#commands.count(this.#files);
    await this.#servers.start();
    await this.#getAll("at the end");
  }
}
