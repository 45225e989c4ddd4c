/**
 * Servers whose folder is put back to an earlier state, or copied while the original goes on (docs/consistency.md section 13): what each
 * knows of its own lives and of those of others. The register is that of register.ts. Used by lives.ts.
 */
import type { Chance } from "./chance.ts";
import { type Answer, Registers, type Request, type Row } from "./register.ts";
import type { Servers } from "./simulator.ts";

export type LifeRule =
  "others are asked" | "all marks are kept" | "copies settle" | "W others know a copy";

/** "back": put back to an earlier state, and perhaps restarted some times; "fork": a copy and the original both start. */
export type Fault = "back" | "fork";

export interface Life {
  readonly life: number;
  readonly mark: number;
}

/** What a client tells a server of another one; taken only from the very mark that is known. */
export interface News {
  readonly of: number;
  readonly from: number | null;
  readonly now: Life;
}

export interface LifeRequest {
  /** Which of a server and its copy is met is a matter of who asks. */
  readonly client: number;
  /** The life that it is for; null: it is the first question. */
  readonly mark: number | null;
  readonly news: readonly News[];
  readonly isSettled: boolean;
  /** null: HELLO. */
  readonly request: Request | null;
}

export interface LifeAnswer {
  readonly now: Life;
  readonly past: ReadonlyMap<number, number>;
  readonly known: ReadonlyMap<number, Life>;
  readonly isUnsettled: boolean;
  /** Has its folder forgotten something? Nobody in the model may look at that but the judge. */
  readonly isIgnorant: boolean;
  readonly answer: Answer | null;
}

interface Folder {
  row: Row;
  durable: Row;
  now: Life;
  past: Map<number, number>;
  known: Map<number, Life>;
  isUnsettled: boolean;
  isIgnorant: boolean;
}

const copyOf = (folder: Folder): Folder => ({
  ...folder,
  past: new Map(folder.past),
  known: new Map(folder.known),
});

const SAVED_MOST = 3;

export class LifeServers implements Servers<LifeRequest, LifeAnswer> {
  readonly registers: Registers;
  readonly broken: LifeRule | null;
  readonly #fault: Fault;
  readonly #chance: Chance;
  /** By server: the folders that run under its id. */
  readonly #running: Folder[][];
  /** By server: stopped in order, last time? */
  readonly #isClean: boolean[];
  readonly #saved: Folder[][];
  #faults = 1;
  #marks = 0;

  constructor(count: number, broken: LifeRule | null, fault: Fault, chance: Chance) {
    this.registers = new Registers(count, null, chance, false);
    this.broken = broken;
    this.#fault = fault;
    this.#chance = chance;
    const first = this.registers.rows.map((): Life => ({ life: 1, mark: ++this.#marks }));
    this.#running = first.map((now, server) => {
      const known = new Map([...first.entries()].filter(([other]) => other !== server));
      const [row, durable] = [this.registers.rows[server]!, this.registers.durable[server]!];
      return [{ row, durable, now, past: new Map(), known, isUnsettled: false, isIgnorant: false }];
    });
    this.#isClean = first.map(() => false);
    this.#saved = first.map(() => []);
  }

  answer(server: number, asked: LifeRequest): LifeAnswer | undefined {
    const folders = this.#running[server]!;
    const folder = folders[asked.client % folders.length]!;
    // A connection ends with its process.
    if (asked.mark !== null && asked.mark !== folder.now.mark) return undefined;
    for (const { of, from, now } of asked.news)
      if ((folder.known.get(of)?.mark ?? null) === from) folder.known.set(of, now);
    if (asked.isSettled) folder.isUnsettled = false;
    let answer: Answer | null = null;
    if (asked.request) {
      this.registers.rows[server] = folder.row;
      this.registers.durable[server] = folder.durable;
      answer = this.registers.answer(server, asked.request);
      folder.row = this.registers.rows[server]!;
      folder.durable = this.registers.durable[server]!;
    }
    const { now, isUnsettled, isIgnorant } = folder;
    const { past, known } = copyOf(folder);
    return { now, past, known, isUnsettled, isIgnorant, answer };
  }

  crash(server: number): void {
    const isClean = this.#chance.is(0.5);
    this.#isClean[server] = isClean;
    for (const folder of this.#running[server]!) {
      if (isClean) folder.durable = folder.row;
      else folder.row = folder.durable;
      if (this.#chance.is(0.5) && this.#saved[server]!.length < SAVED_MOST)
        this.#saved[server]!.push(copyOf(folder));
    }
  }

  restart(server: number): void {
    const folders = this.#running[server]!;
    const [folder] = folders as [Folder];
    if (this.#faults > 0 && this.#chance.is(0.6)) {
      const older = this.#saved[server]!.filter(({ row }) => isLess(row, folder.row));
      if (this.#fault === "back" && older.length > 0) {
        this.#faults--;
        const back = { ...copyOf(this.#chance.pick(older)), isIgnorant: true };
        for (let starts = this.#chance.below(4); starts > 0; starts--) this.#begin(back);
        this.#running[server] = [back];
      } else if (this.#fault === "fork" && this.#isClean[server]) {
        this.#faults--;
        folder.isIgnorant = true;
        folders.push({ ...copyOf(folder), isUnsettled: true });
      }
    }
    for (const one of this.#running[server]!) this.#begin(one);
  }

  #begin(folder: Folder): void {
    folder.past.set(folder.now.life, folder.now.mark);
    folder.now = { life: folder.now.life + 1, mark: ++this.#marks };
  }
}

/** Would something be lost by going back to this? */
const isLess = (old: Row, now: Row): boolean =>
  old.prom !== now.prom ||
  old.acc?.ballot !== now.acc?.ballot ||
  old.com?.ballot !== now.com?.ballot ||
  old.floor !== now.floor;
