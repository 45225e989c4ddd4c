/** dfs-tool verify: has the servers read back what they hold, and tells what is damaged. */
import { defineCommand } from "citty";
import type { Cluster } from "../../client/connect/cluster.ts";
import { counted } from "../../counted.ts";
import { type Copy, shareOf, type Verified, verifyAll } from "../../client/care/verify.ts";
import { type ErrorCode, exitStatus } from "../../errors.ts";
import { checkName } from "../../file/names.ts";
import { commonFlags } from "../../terminal/flags.ts";
import { setUp, withCluster } from "../config/open.ts";
import { openProgress } from "../../terminal/progress.ts";
import { print, printJson } from "../../terminal/stdout.ts";
import { sizeText } from "../../terminal/units.ts";

export const verifyCommand = defineCommand({
  meta: { description: "Have the servers read back what they hold, and say what is damaged" },
  args: {
    "name...": { type: "positional", required: false, description: "Only these files" },
    sample: { type: "string", valueHint: "SHARE", description: "Only a share of it, as in 5%" },
    ...commonFlags,
  },
  async run({ args }) {
    const names = args._.map((name) => checkName(name));
    const sample = args.sample === undefined ? 1 : shareOf(args.sample);
    const setup = await setUp(args);
    const progress = openProgress("verify", args);
    const found = new Findings();
    try {
      return await withCluster(
        setup,
        async (cluster) => {
          const options = { sample, progress: (bytes: number) => progress.add(bytes) };
          for await (const verified of verifyAll(
            cluster,
            names.length > 0 ? names : null,
            options,
          )) {
            found.add(verified);
            if (!args.json) for (const line of linesOf(cluster, verified)) await print(line);
          }
          progress.stop();
          if (args.json) await printJson(found.asJson(cluster));
          else await print(found.line(cluster));
          return found.statusOf(cluster);
        },
        { keys: names.length > 0 ? "needed" : "handy" },
      );
    } finally {
      progress.stop();
    }
  },
});

/** The findings of all names together. */
class Findings {
  #names = 0;
  #copies = 0;
  #bytes = 0;
  readonly #problems: Verified[] = [];

  add(verified: Verified): void {
    this.#names++;
    this.#copies += verified.copies;
    this.#bytes += verified.bytes;
    if (!isFine(verified)) this.#problems.push(verified);
  }

  #count(of: (verified: Verified) => number): number {
    return this.#problems.reduce((n, verified) => n + of(verified), 0);
  }

  get #sums() {
    return {
      bad: this.#count(({ bad }) => bad.length),
      missing: this.#count(({ missing }) => missing.length),
      unreadable: this.#count(({ isReadable, problem }) => (isReadable || problem ? 0 : 1)),
      untold: this.#count(({ silent, problem }) => (silent.length > 0 || problem ? 1 : 0)),
    };
  }

  line(cluster: Cluster): string {
    const { bad, missing, unreadable, untold } = this.#sums;
    const parts = [
      `${counted(this.#names, "file")}, ${counted(this.#copies, "piece")}, ${sizeText(this.#bytes)} read back`,
    ];
    if (bad > 0) parts.push(`${counted(bad, "piece")} damaged`);
    if (missing > 0) parts.push(`${counted(missing, "piece")} missing`);
    if (unreadable > 0) parts.push(`${counted(unreadable, "file")} cannot be had`);
    if (untold > 0) parts.push(`${counted(untold, "file")} not wholly verified`);
    const away = cluster.silent.length;
    if (away > 0) parts.push(`${away} of ${cluster.view.members.length} servers do not answer`);
    if (parts.length === 1) parts.push("all good");
    else if (bad + missing > 0) parts.push("run dfs-tool repair");
    return parts.join(", ");
  }

  /**
   * The status: first files that cannot be rebuilt; then what repair can mend, or what could not be
   * verified.
   */
  statusOf(cluster: Cluster): number {
    const { bad, missing, unreadable, untold } = this.#sums;
    const isPartly = bad + missing + untold > 0 || cluster.silent.length > 0;
    const code: ErrorCode | null = unreadable > 0 ? "integrity" : isPartly ? "partly" : null;
    return code ? exitStatus(code) : 0;
  }

  asJson(cluster: Cluster) {
    return {
      files: this.#names,
      copies: this.#copies,
      bytes: this.#bytes,
      ...this.#sums,
      silent: cluster.silent.length,
      names: this.#problems.map(({ name, bad, missing, silent, isReadable, problem }) => ({
        name,
        readable: isReadable,
        bad: bad.map((copy) => copyOf(cluster, copy)),
        missing: missing.map((copy) => copyOf(cluster, copy)),
        silent: silent.map((slot) => cluster.labelOf(slot)),
        problem,
      })),
    };
  }
}

const copyOf = (cluster: Cluster, { piece, slot }: Copy) => ({
  piece: piece + 1,
  server: cluster.labelOf(slot),
});

const isFine = ({ bad, missing, silent, isReadable, problem }: Verified): boolean =>
  bad.length + missing.length + silent.length === 0 && isReadable && problem === null;

function linesOf(cluster: Cluster, verified: Verified): string[] {
  const { name, bad, missing, silent, isReadable, problem } = verified;
  const each = (copies: readonly Copy[], what: string): string[] =>
    copies.map(
      ({ piece, slot }) => `${name}: piece ${piece + 1} on ${cluster.labelOf(slot)} is ${what}`,
    );
  const lines = [...each(bad, "damaged"), ...each(missing, "missing")];
  for (const slot of silent)
    lines.push(`${name}: ${cluster.labelOf(slot)} cannot tell of it, or did not answer`);
  if (problem !== null) lines.push(`${name}: ${problem}`);
  else if (!isReadable) lines.push(`${name}: too few good pieces are left`);
  return lines;
}
