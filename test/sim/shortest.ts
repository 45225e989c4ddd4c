/** A history that is wrong, without all that it would be wrong without: what is left is what a person should look at. */
import { FAULT_KINDS, type FaultKind } from "./faults.ts";
import type { History, HistoryOptions } from "./history.ts";
import { runHistory } from "./history_run.ts";

/** The shortest history of a seed that is still wrong, and in lines what happens in it. The seed's own must be wrong. */
export function shortest(seed: number, options: HistoryOptions): string[] {
  const isWrong = (more: HistoryOptions): boolean =>
    runHistory(seed, { ...options, ...more }).wrong !== null;
  let least: HistoryOptions = options;
  let count = 0;
  if (!options.plot) {
    while (!isWrong({ operations: count })) count++;
    least = { ...least, operations: count };
  }
  const skip = new Set<number>();
  for (let one = 0; one < count; one++)
    if (isWrong({ ...least, skip: new Set([...skip, one]) })) skip.add(one);
  least = { ...least, skip };
  const without = new Set<FaultKind>();
  for (const kind of FAULT_KINDS)
    if (isWrong({ ...least, without: new Set([...without, kind]) })) without.add(kind);
  return linesOf(runHistory(seed, { ...least, without, trace: true }));
}

function linesOf({ wrong, rates, story, portrait }: History): string[] {
  const drawn = Object.entries(rates)
    .filter(([, rate]) => rate > 0)
    .map(([kind, rate]) => `${kind} ${rate}`);
  return [
    `  its rates: ${drawn.join(", ")}`,
    `  the shortest history that is still wrong: ${wrong}`,
    ...story.map((line) => `  ${line.trimEnd()}`),
    "  what the servers hold at its end:",
    ...portrait.map((line) => `  ${line}`),
  ];
}
