/** dfs-tool list: the names in the store. */
import { defineCommand } from "citty";
import { list, type Listed } from "../client/list.ts";
import { commonFlags } from "./flags.ts";
import { setUp, withCluster } from "./open.ts";
import { flush, mustBeRead, print, printStored } from "./stdout.ts";

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
    await withCluster(await setUp(args), async (cluster) => {
      const names = list(cluster, args.prefix ?? "");
      await (args.json ? printAsJson(names) : printAsLines(names));
    });
    await flush();
    mustBeRead();
  },
});

async function printAsLines(names: AsyncIterable<Listed>): Promise<void> {
  for await (const { name, isIncomplete } of names) {
    await printStored(isIncomplete ? `${name} [incomplete]` : name);
    mustBeRead();
  }
}

/** One array with one entry a line, so that a million names need no memory here. */
async function printAsJson(names: AsyncIterable<Listed>): Promise<void> {
  let before = "[";
  for await (const { name, bytes, isIncomplete } of names) {
    await print(before + JSON.stringify({ name, bytes, incomplete: isIncomplete }));
    mustBeRead();
    before = ",";
  }
  await print(before === "[" ? "[]" : "]");
}
