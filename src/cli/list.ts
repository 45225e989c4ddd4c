/** dfs-tool list: the names in the store. */
import { defineCommand } from "citty";
import { list, type Listed } from "../client/list.ts";
import { warnOfOpen } from "./adopt.ts";
import { commonFlags } from "./flags.ts";
import { setUp, withCluster } from "./open.ts";
import { print, printStored } from "./stdout.ts";

export const listCommand = defineCommand({
  meta: { description: "List the names in the store, sorted", alias: "ls" },
  args: {
    prefix: {
      type: "positional",
      required: false,
      description: "Only names that begin so, as in photos/",
    },
    ...commonFlags,
  },
  async run({ args }) {
    const setup = await setUp(args);
    await withCluster(setup, async (cluster) => {
      const names = list(cluster, args.prefix ?? "");
      const count = await (args.json ? printAsJson(names) : printAsLines(names));
      if (count === 0) await warnOfOpen(cluster, setup.log);
    });
  },
});

/** Returns how many there are. */
async function printAsLines(names: AsyncIterable<Listed>): Promise<number> {
  let count = 0;
  for await (const { name, isIncomplete } of names) {
    await printStored(isIncomplete ? `${name} [incomplete]` : name);
    count++;
  }
  return count;
}

/** One array with one entry a line, so that a million names need no memory here. */
async function printAsJson(names: AsyncIterable<Listed>): Promise<number> {
  let before = "[";
  let count = 0;
  for await (const { name, bytes, isIncomplete } of names) {
    await print(before + JSON.stringify({ name, bytes, incomplete: isIncomplete }));
    before = ",";
    count++;
  }
  await print(count === 0 ? "[]" : "]");
  return count;
}
