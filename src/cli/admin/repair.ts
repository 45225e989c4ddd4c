/**
 * dfs-tool repair: brings everything to where it belongs, and tells what was done. server.ts uses
 * repairAndReport too.
 */
import { defineCommand } from "citty";
import { counted } from "../../counted.ts";
import { type Repaired, repairAll } from "../../client/care/repair.ts";
import { DfsError, exitStatus } from "../../errors.ts";
import { ORPHAN_AGE_SECONDS } from "../../limits.ts";
import type { Cluster } from "../../client/connect/cluster.ts";
import { type CommonFlags, commonFlags, namesFlags } from "../../terminal/flags.ts";
import { type Setup, setUp, withCluster } from "../config/open.ts";
import { openCount } from "../../terminal/progress.ts";
import { print, printJson } from "../../terminal/stdout.ts";
import { sizeText } from "../../terminal/units.ts";

export const repairCommand = defineCommand({
  meta: { description: "Restore lost copies, bring pieces home, and remove what nobody needs" },
  args: {
    ...namesFlags,
    "orphan-age": {
      type: "string",
      valueHint: "SECONDS",
      default: String(ORPHAN_AGE_SECONDS),
      description: "How old pieces of no file must be to be removed; 0 takes those of running puts",
    },
    ...commonFlags,
  },
  async run({ args }) {
    const setup = await setUp(args);
    const options: RepairOptions = {
      prefix: args.prefix ?? "",
      dryRun: args["dry-run"] ?? false,
      orphanAge: secondsIn(args["orphan-age"]),
    };
    return withCluster(setup, (cluster) => repairAndReport(cluster, setup, args, options), {
      keys: "handy",
    });
  },
});

function secondsIn(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new DfsError("usage", `--orphan-age is a number of seconds, not ${JSON.stringify(text)}`);
}

interface RepairOptions {
  /** Only names that begin so. */
  readonly prefix: string;
  readonly dryRun: boolean;
  /** How old the pieces of orphans must be to be removed, in seconds. */
  readonly orphanAge: number;
}

const EVERYTHING: RepairOptions = { prefix: "", dryRun: false, orphanAge: ORPHAN_AGE_SECONDS };
/** The most names with problems that are told, unless more is asked for. */
const PROBLEMS_SHOWN = 10;

/** Repairs, and tells what was done. Resolves to the exit status. */
export async function repairAndReport(
  cluster: Cluster,
  { log }: Setup,
  flags: CommonFlags,
  { prefix, dryRun, orphanAge }: RepairOptions = EVERYTHING,
): Promise<number> {
  const count = openCount("repair", flags);
  const total = new Total();
  const started = performance.now();
  const away = cluster.silent.length;
  if (away > 0)
    log.warn(
      `${away} of ${cluster.view.members.length} servers do not answer: what is at home there stays as it is`,
    );
  const printLine = async (line: string): Promise<void> => {
    if (flags.json) return;
    count.clear();
    await print(line);
  };
  try {
    const options = {
      dryRun,
      orphanAge,
      looked: ({ displaced, spared }: Repaired) => {
        count.name();
        total.displaced += displaced;
        total.spared += spared;
      },
      progress: (bytes: number) => count.add(bytes),
    };
    for await (const repaired of repairAll(cluster, prefix, options)) {
      total.add(repaired);
      const isReported = isProblem(repaired) && ++total.problems <= PROBLEMS_SHOWN;
      if (flags.verbose || isReported) await printLine(lineOf(repaired, dryRun));
    }
    total.traffic = cluster.traffic;
  } finally {
    count.stop();
  }
  const more = total.problems - PROBLEMS_SHOWN;
  if (more > 0 && !flags.verbose) await printLine(`and ${more} more: repair -v tells of each`);
  const seconds = (performance.now() - started) / 1000;
  if (flags.json) await printJson(total.asJson(dryRun, seconds));
  else await print(total.line(dryRun, seconds));
  return total.status;
}

const isProblem = ({ lost, problem }: Repaired): boolean => lost.length > 0 || problem !== null;

/** What was done to all names together. */
class Total {
  readonly names: Repaired[] = [];
  /** Names that could not be repaired, or only in part. */
  problems = 0;
  /** Copies that stay where they are, since there is no room for them at home. */
  displaced = 0;
  /** Orphans whose pieces are left alone for now. */
  spared = 0;
  /** Bytes on the wire. */
  traffic = { sent: 0, received: 0 };

  add(repaired: Repaired): void {
    this.names.push(repaired);
  }

  get sums() {
    const sum = (valueOf: (repaired: Repaired) => number): number =>
      this.names.reduce((n, repaired) => n + valueOf(repaired), 0);
    return {
      restored: sum(({ restored }) => restored),
      bytes: sum(({ bytes }) => bytes),
      dropped: sum(({ dropped }) => dropped),
      collected: sum(({ collected }) => collected),
      forgotten: sum(({ forgotten }) => (forgotten ? 1 : 0)),
      displaced: this.displaced,
      spared: this.spared,
      lost: sum(({ lost }) => lost.length),
      unrepaired: sum(({ problem }) => (problem === null ? 0 : 1)),
    };
  }

  asJson(dryRun: boolean, seconds: number) {
    return { dryRun, ...this.sums, seconds, traffic: this.traffic, names: this.names };
  }

  line(dryRun: boolean, seconds: number): string {
    const { restored, bytes, dropped, collected, forgotten, lost, unrepaired } = this.sums;
    const stay = this.#staying;
    if (this.names.length === 0) return `nothing to repair${stay}`;
    const rate = dryRun
      ? sizeText(bytes)
      : `${sizeText(bytes)} in ${seconds.toFixed(1)} s, ${sizeText(bytes / seconds)}/s`;
    // A copy made at home and one taken away elsewhere are one copy that was sent home.
    const moved = Math.min(restored, dropped);
    const kinds: [count: number, text: string][] = [
      [moved, `${counted(moved, "copy", "copies")} sent home`],
      [restored - moved, `${counted(restored - moved, "copy", "copies")} restored`],
    ];
    const made = kinds.flatMap(([count, text]) => (count > 0 ? [text] : []));
    const parts = [
      counted(this.names.length, "name"),
      ...(restored > 0 ? [`${made.join(" and ")} (${rate})`] : []),
      ...(dropped > moved
        ? [`${counted(dropped - moved, "copy", "copies")} too many taken away`]
        : []),
      ...(collected > 0 ? [`${counted(collected, "orphan")} collected`] : []),
      ...(forgotten > 0 ? [`${counted(forgotten, "deletion")} forgotten`] : []),
      ...(lost > 0 ? [`${counted(lost, "piece")} lost`] : []),
      ...(unrepaired > 0 ? [`${counted(unrepaired, "name")} not repaired`] : []),
    ];
    return `${dryRun ? "to do: " : "done: "}${parts.join(", ")}${stay}`;
  }

  /** What is left as it is, and why. */
  get #staying(): string {
    const away = counted(this.displaced, "copy stays", "copies stay");
    const puts = counted(this.spared, "put that may go on", "puts that may go on");
    return [
      ...(this.displaced > 0 ? [`; ${away} elsewhere, for there is no room at home`] : []),
      ...(this.spared > 0
        ? [`; the pieces of ${puts} stay (--orphan-age 0 removes them as well)`]
        : []),
    ].join("");
  }

  /**
   * The status of what could not be repaired: first lost pieces; then whether only missing servers
   * were the cause.
   */
  get status(): number {
    if (this.sums.lost > 0) return exitStatus("incomplete");
    const causes = new Set(this.names.flatMap(({ cause }) => cause ?? []));
    if (causes.size === 0) return 0;
    const isTooFew = [...causes].every((cause) => ["tooFew", "down", "epoch"].includes(cause));
    return exitStatus(isTooFew ? "tooFew" : "partly");
  }
}

/** Reserved names are not shown as they are. */
const labelOf = (name: string): string => (name === "" ? "(configuration)" : name);

function lineOf(repaired: Repaired, dryRun: boolean): string {
  const { name, agreed, restored, dropped, collected, forgotten, lost, problem } = repaired;
  const parts: string[] = [];
  if (agreed) parts.push("registers brought in line");
  const copies = (count: number): string => counted(count, "copy", "copies");
  const moved = Math.min(restored, dropped);
  if (moved > 0) parts.push(`${copies(moved)} sent home`);
  if (restored > moved) parts.push(`${copies(restored - moved)} restored`);
  if (dropped > moved) parts.push(`${copies(dropped - moved)} too many taken away`);
  if (collected > 0) parts.push(`${counted(collected, "orphan")} collected`);
  if (forgotten) parts.push("deletion forgotten");
  if (lost.length > 0) parts.push(`piece ${lost.join(", ")} cannot be had`);
  if (problem !== null) parts.push(`not repaired: ${problem}`);
  return `${labelOf(name)}: ${dryRun ? "would be " : ""}${parts.join("; ")}`;
}
