/** Where a scenario plays: its seed, its folder, its processes; and that nothing of it stays. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Rng, labelHash } from "../sim/random.ts";
import { newPerson, type Person } from "./person.ts";

/** What a scenario found wrong, with all that is needed to see why. */
export class Failure extends Error {
  readonly evidence: readonly string[];
  constructor(message: string, evidence: readonly string[] = []) {
    super(message);
    this.evidence = evidence;
  }
}

/** A scenario that cannot be played on this machine. */
export class Impossible extends Error {}

export interface Scenario {
  readonly name: string;
  /** Resolves to its figures; throws a Failure, or Impossible. */
  play(stage: Stage): Promise<string>;
}

export interface Result {
  readonly name: string;
  readonly ok: boolean;
  /** The last line about it. */
  readonly line: string;
  readonly evidence: readonly string[];
}

/** What must be undone even when this process ends at once. */
const undos = new Set<() => void>();
function undoAll(): void {
  for (const undo of undos) undo();
  undos.clear();
}
process.on("exit", undoAll);
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
  process.once(signal, () => {
    undoAll();
    process.kill(process.pid, signal);
  });

export class Stage {
  readonly seed: number;
  readonly rng: Rng;
  /** Small numbers, so that all scenarios together take little more than a minute. */
  readonly isShort: boolean;
  readonly folder: string;
  /** Whose files they are, where there are passwords. */
  readonly person: Person | null;
  /** What happened, for the evidence. */
  readonly notes: string[] = [];
  readonly #children = new Set<Bun.Subprocess>();
  readonly #watches: (() => void)[] = [];
  readonly #undos: (() => void)[] = [];
  readonly #begun = performance.now();

  constructor(name: string, seed: number, isShort: boolean, person: Person | null) {
    this.seed = seed;
    this.person = person;
    this.rng = new Rng(seed, labelHash(name));
    this.isShort = isShort;
    this.folder = mkdtempSync(join(tmpdir(), `dfs-torture-${name}-`));
    undos.add(this.end);
  }

  /** One of two sizes of a scenario. */
  size<T>(long: T, short: T): T {
    return this.isShort ? short : long;
  }

  note(line: string): void {
    const seconds = ((performance.now() - this.#begun) / 1000).toFixed(3);
    this.notes.push(`${seconds.padStart(8)} ${line}`);
  }

  /** It will be killed, whatever happens. */
  own(child: Bun.Subprocess): void {
    this.#children.add(child);
    void child.exited.then(() => this.#children.delete(child));
  }

  /** Called at the end, the last first; must be synchronous. */
  undo(work: () => void): void {
    this.#undos.unshift(work);
  }

  /** Called by `check`; throws what is wrong. */
  watch(check: () => void): void {
    this.#watches.push(check);
  }

  /** Throws if anything is wrong that nobody has asked for yet, such as a server that ended by itself. */
  check(): void {
    for (const check of this.#watches) check();
  }

  readonly end = (): void => {
    undos.delete(this.end);
    for (const child of this.#children) child.kill("SIGKILL");
    for (const undo of this.#undos.splice(0)) undo();
    if (!process.env.TORTURE_KEEP) rmSync(this.folder, { recursive: true, force: true });
  };
}

const notesPath = (name: string, seed: number): string =>
  join(tmpdir(), `dfs-torture-${name}-${seed}.txt`);

/** Plays a scenario to its end; with `isSealed` its servers know a user, who has a password. */
export async function play(
  scenario: Scenario,
  seed: number,
  isShort: boolean,
  isSealed = false,
): Promise<Result> {
  const { name } = scenario;
  const stage = new Stage(name, seed, isShort, isSealed ? await newPerson() : null);
  const begun = performance.now();
  try {
    const figures = await scenario.play(stage);
    stage.check();
    const seconds = ((performance.now() - begun) / 1000).toFixed(1);
    if (process.env.TORTURE_KEEP) writeFileSync(notesPath(name, seed), stage.notes.join("\n"));
    return { name, ok: true, line: `${name}: ok (${figures}; ${seconds} s)`, evidence: [] };
  } catch (error) {
    if (error instanceof Impossible)
      return { name, ok: true, line: `${name}: skipped (${error.message})`, evidence: [] };
    const { message, stack = "" } = error instanceof Error ? error : new Error(String(error));
    const found = error instanceof Failure ? error.evidence : [stack];
    const path = notesPath(name, seed);
    writeFileSync(path, [message, ...found, "", ...stage.notes, ""].join("\n"));
    const line = `${name}: WRONG: ${message} (seed ${seed}; all of it in ${path})`;
    return { name, ok: false, line, evidence: found };
  } finally {
    stage.end();
  }
}
