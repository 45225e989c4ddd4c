/** dfs-tool repair: brings everything to where it belongs, and says what that took. */
import { defineCommand } from "citty";
import { type Repaired, repairAll } from "../client/repair.ts";
import { DfsError, exitStatus } from "../errors.ts";
import type { Cluster } from "../client/cluster.ts";
import { type CommonFlags, commonFlags, namesFlags } from "./flags.ts";
import { type Setup, setUp, withCluster } from "./open.ts";
import { openProgress } from "./progress.ts";
import { print, printJson } from "./stdout.ts";
import { sizeText } from "./units.ts";

export const repairCommand = defineCommand({
  meta: { description: "Restore lost copies, bring pieces home, and remove what nobody needs" },
  args: {
    ...namesFlags,
    "orphan-age": {
      type: "string",
      valueHint: "SECONDS",
      default: "0",
      description: "Remove pieces that nobody needs only if they are so old",
    },
    ...commonFlags,
  },
  async run({ args }) {
    const setup = await setUp(args);
    const how: How = {
      prefix: args.prefix ?? "",
      dryRun: args["dry-run"] ?? false,
      orphanAge: secondsIn(args["orphan-age"]),
    };
    return withCluster(setup, (cluster) => repairAndTell(cluster, setup, args, how), {
      keys: "handy",
    });
  },
});

function secondsIn(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new DfsError("usage", `--orphan-age is a number of seconds, not ${JSON.stringify(text)}`);
}

interface How {
  /** Only names that begin so. */
  readonly prefix: string;
  readonly dryRun: boolean;
  /** How old pieces of no version must be to be removed, in seconds. */
  readonly orphanAge: number;
}

const EVERYTHING: How = { prefix: "", dryRun: false, orphanAge: 0 };

/** Repairs, and says what that took; resolves to the exit status. */
export async function repairAndTell(
  cluster: Cluster,
  { log }: Setup,
  flags: CommonFlags,
  { prefix, dryRun, orphanAge }: How = EVERYTHING,
): Promise<number> {
  const progress = openProgress("repair", flags);
  const total = new Total();
  const started = performance.now();
  const away = cluster.silent.length;
  if (away > 0)
    log.warn(
      `${away} of ${cluster.view.members.length} servers do not answer: what is at home there stays as it is`,
    );
  try {
    const options = {
      dryRun,
      orphanAge,
      expect: (bytes: number) => progress.expect(bytes),
      progress: (bytes: number) => progress.add(bytes),
    };
    for await (const repaired of repairAll(cluster, prefix, options)) {
      total.add(repaired);
      if (!flags.json) await print(lineOf(repaired, dryRun));
    }
    total.traffic = cluster.traffic;
  } finally {
    progress.stop();
  }
  const seconds = (performance.now() - started) / 1000;
  if (flags.json) await printJson(total.asJson(dryRun, seconds));
  else await print(total.line(dryRun, seconds));
  return total.status;
}

/** What was done to all names together. */
class Total {
  readonly names: Repaired[] = [];
  /** Bytes on the wire. */
  traffic = { sent: 0, received: 0 };

  add(repaired: Repaired): void {
    this.names.push(repaired);
  }

  get sums() {
    const sum = (of: (one: Repaired) => number): number =>
      this.names.reduce((n, one) => n + of(one), 0);
    return {
      restored: sum(({ restored }) => restored),
      bytes: sum(({ bytes }) => bytes),
      dropped: sum(({ dropped }) => dropped),
      collected: sum(({ collected }) => collected),
      forgotten: sum(({ forgotten }) => (forgotten ? 1 : 0)),
      lost: sum(({ lost }) => lost.length),
      unrepaired: sum(({ problem }) => (problem === null ? 0 : 1)),
    };
  }

  asJson(dryRun: boolean, seconds: number) {
    return { dryRun, ...this.sums, seconds, traffic: this.traffic, names: this.names };
  }

  line(dryRun: boolean, seconds: number): string {
    if (this.names.length === 0) return "nothing to repair";
    const { restored, bytes, dropped, collected, forgotten, lost, unrepaired } = this.sums;
    const rate = dryRun
      ? sizeText(bytes)
      : `${sizeText(bytes)} in ${seconds.toFixed(1)} s, ${sizeText(bytes / seconds)}/s`;
    const parts = [
      `${this.names.length} names`,
      `${restored} copies restored${restored > 0 ? ` (${rate})` : ""}`,
      `${dropped} sent home`,
      `${collected} orphans collected`,
      `${forgotten} deletions forgotten`,
    ];
    if (lost > 0) parts.push(`${lost} pieces lost`);
    if (unrepaired > 0) parts.push(`${unrepaired} names not repaired`);
    return `${dryRun ? "to do: " : "done: "}${parts.join(", ")}`;
  }

  /** What could not be repaired decides: lost pieces, then whether all that was missing were servers. */
  get status(): number {
    if (this.sums.lost > 0) return exitStatus("incomplete");
    const causes = new Set(this.names.flatMap(({ cause }) => cause ?? []));
    if (causes.size === 0) return 0;
    const isTooFew = [...causes].every((cause) => ["tooFew", "down", "epoch"].includes(cause));
    return exitStatus(isTooFew ? "tooFew" : "partly");
  }
}

/** Reserved names have no look that people know. */
const labelOf = (name: string): string => (name === "" ? "(configuration)" : name);

function lineOf(repaired: Repaired, dryRun: boolean): string {
  const { name, agreed, restored, dropped, collected, forgotten, lost, problem } = repaired;
  const parts: string[] = [];
  if (agreed) parts.push("registers brought in line");
  if (restored > 0) parts.push(`${restored} copies restored`);
  if (dropped > 0) parts.push(`${dropped} copies sent home`);
  if (collected > 0) parts.push(`${collected} orphans collected`);
  if (forgotten) parts.push("deletion forgotten");
  if (lost.length > 0) parts.push(`piece ${lost.join(", ")} cannot be had`);
  if (problem !== null) parts.push(`not repaired: ${problem}`);
  return `${labelOf(name)}: ${dryRun ? "would be " : ""}${parts.join("; ")}`;
}
