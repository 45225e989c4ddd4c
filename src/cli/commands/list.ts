/** dfs-tool list: the names in the store. Also used by the shell. */
import { defineCommand } from "citty";
import { list, type Listed } from "../../client/files/list.ts";
import { warnOfOpen } from "./adopt.ts";
import { plainFlags } from "../../terminal/flags.ts";
import { setUp, withCluster } from "../config/open.ts";
import { flush, mustBeRead, print, printStored } from "../../terminal/stdout.ts";

const definition = {
  meta: { description: "List the names in the store, sorted", alias: "ls" },
  args: {
    prefix: {
      type: "positional",
      required: false,
      description: "Only names that begin so, as in photos/",
    },
    ...plainFlags,
  },
} as const;

/**
 * The same command for a shell in a folder: names in the folder are shown without it, all others
 * with "/" before them.
 */
export const listFrom = (folder: string) =>
  defineCommand({
    ...definition,
    async run({ args }) {
      const setup = await setUp(args);
      await withCluster(setup, async (cluster) => {
        const all = list(cluster, args.prefix ?? "");
        const names = folder === "" ? all : shownFrom(folder, all);
        const count = await (args.json ? printAsJson(names) : printAsLines(names));
        if (count === 0) await warnOfOpen(cluster, setup.log);
      });
      await flush();
      mustBeRead();
    },
  });

export const listCommand = listFrom("");

async function* shownFrom(folder: string, names: AsyncIterable<Listed>): AsyncGenerator<Listed> {
  for await (const entry of names) {
    const inside = entry.name.startsWith(folder)
      ? entry.name.slice(folder.length)
      : `/${entry.name}`;
    yield { ...entry, name: inside || "./" };
  }
}

/** Returns how many names there are. */
async function printAsLines(names: AsyncIterable<Listed>): Promise<number> {
  let count = 0;
  for await (const { name, isIncomplete } of names) {
    await printStored(isIncomplete ? `${name} [incomplete]` : name);
    mustBeRead();
    count++;
  }
  return count;
}

/** Prints one array with one entry on each line, so that a million names take no memory here. */
async function printAsJson(names: AsyncIterable<Listed>): Promise<number> {
  let before = "[";
  let count = 0;
  for await (const { name, bytes, isIncomplete } of names) {
    await print(before + JSON.stringify({ name, bytes, incomplete: isIncomplete }));
    mustBeRead();
    before = ",";
    count++;
  }
  await print(count === 0 ? "[]" : "]");
  return count;
}
