/** Many clients at once put a file that must not be there yet: exactly one of them succeeds. */
import { now } from "./clock.ts";
import { Commands, exit } from "./commands.ts";
import { contentOf, isSame } from "./contents.ts";
import { Crowd, type Deed, lineOf, tallyOf } from "./crowd.ts";
import { checkHistories } from "./history.ts";
import { Servers } from "./servers.ts";
import { Failure, type Scenario, type Stage } from "./stage.ts";

const CLIENTS = 16;
const START_MS = 1800;

export const ifAbsent: Scenario = {
  name: "if_absent",
  async play(stage) {
    const servers = new Servers(stage);
    const commands = new Commands(servers);
    await servers.start();
    await commands.list();
    const repeats = stage.size(50, 3);
    // Half of the names have been there and were deleted.
    const names = Array.from({ length: repeats }, (_, i) => `r${i}`);
    for (const name of names.filter((_, i) => i % 2 === 1)) {
      await commands.mustPut(name, contentOf(1, 100));
      await commands.remove(name);
    }
    const deeds = await race(stage, servers, names, async () => {});
    for (const name of names) mustHaveOne(of(deeds, name));
    checkHistories(await withReads(servers, stage, deeds, names), names);

    // The same while a server dies: at most one, and where none knows better, the outcome is open.
    const others = names.map((name) => `x${name}`);
    const open = await race(stage, servers, others, (slot) => dieAndReturn(stage, servers, slot));
    for (const name of others) mustHaveAtMostOne(of(open, name));
    checkHistories(await withReads(servers, stage, open, others), others);

    const byCommand = stage.size(10, 1);
    for (let i = 0; i < byCommand; i++) await raceOfCommands(commands, `c${i}`);
    return `${repeats} times ${CLIENTS} clients: ${tallyOf(deeds)}; with a server dying: ${tallyOf(open)}; ${byCommand} times with commands`;
  },
};

const of = (deeds: readonly Deed[], name: string): Deed[] =>
  deeds.filter(({ order }) => order.do === "putIf" && order.name === name);

/** For each name in turn all clients begin at the same moment. */
async function race(
  stage: Stage,
  servers: Servers,
  names: readonly string[],
  meanwhile: (slot: number) => Promise<void>,
): Promise<Deed[]> {
  const crowd = new Crowd(stage, servers);
  const begin = now() + START_MS;
  const stepMs = stage.size(700, 350);
  for (let client = 1; client <= CLIENTS; client++) {
    const script = names.map((name, i) => {
      const order = { do: "putIf", name, value: client * 1000 + i, expected: 0 } as const;
      const bytes = i % 3 === 0 ? 200_000 : 2000;
      return { at: begin + i * stepMs, order: { ...order, bytes } };
    });
    crowd.start({ script, reuse: client % 2 });
  }
  for (const i of names.keys()) {
    await Bun.sleep(Math.max(0, begin + i * stepMs - now()));
    await meanwhile(i % 4);
  }
  await crowd.ended();
  return crowd.deeds();
}

async function dieAndReturn(stage: Stage, servers: Servers, slot: number): Promise<void> {
  await Bun.sleep(stage.rng.int(60));
  await servers.at(slot).kill();
  await Bun.sleep(stage.rng.int(200));
  await servers.start([slot]);
}

/** The deeds, and what is read of each name after them. */
async function withReads(
  servers: Servers,
  stage: Stage,
  deeds: readonly Deed[],
  names: readonly string[],
) {
  const crowd = new Crowd(stage, servers);
  crowd.start({ script: names.map((name) => ({ at: 0, order: { do: "get", name } })) });
  await crowd.ended();
  const reads = crowd.deeds();
  for (const read of reads)
    if (read.outcome !== "done" && read.outcome !== "noSuchName")
      throw new Failure(`with all servers up: ${lineOf(read)}`);
  return [...deeds, ...reads];
}

function mustHaveOne(deeds: readonly Deed[]): void {
  const done = deeds.filter(({ outcome }) => outcome === "done");
  const refused = deeds.filter(({ outcome }) => outcome === "conflict");
  if (done.length === 1 && refused.length === CLIENTS - 1) return;
  throw new Failure(`${done.length} succeeded, ${refused.length} were refused`, deeds.map(lineOf));
}

function mustHaveAtMostOne(deeds: readonly Deed[]): void {
  const done = deeds.filter(({ outcome }) => outcome === "done");
  if (done.length > 1) throw new Failure(`${done.length} succeeded`, deeds.map(lineOf));
}

async function raceOfCommands(commands: Commands, name: string): Promise<void> {
  const contents = Array.from({ length: CLIENTS }, (_, i) => contentOf(i, 50_000));
  const ran = await Promise.all(contents.map((data) => commands.put(name, data, "--if-absent")));
  const statuses = ran.map(({ status }) => status);
  const winners = contents.filter((_, i) => statuses[i] === exit.ok);
  const losers = statuses.filter((status) => status === exit.conflict).length;
  if (winners.length !== 1 || losers !== CLIENTS - 1)
    throw new Failure(
      `put --if-absent ${name} ended with ${statuses.join(", ")}`,
      ran.map(({ err }) => err),
    );
  const { data } = await commands.get(name);
  if (data === null || !isSame(data, winners[0] ?? new Uint8Array()))
    throw new Failure(`${name} has not the content of the one that succeeded`);
  const { version } = await commands.stat(name);
  const stale = await commands.put(
    name,
    contentOf(99, 10),
    "--if-version",
    version.replace(/^./, (c) => (c === "0" ? "1" : "0")),
  );
  const fresh = await commands.put(name, contentOf(99, 10), "--if-version", version);
  if (stale.status !== exit.conflict || fresh.status !== exit.ok)
    throw new Failure(
      `put --if-version: ${stale.status} for another version, ${fresh.status} for the current one`,
    );
}
