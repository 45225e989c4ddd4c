/** dfs-tool rm: deletes names. */
import { defineCommand } from "citty";
import { remove } from "../client/remove.ts";
import { DfsError, isDfsError } from "../errors.ts";
import { checkEither } from "../file/names.ts";
import { FILES_IN_FLIGHT } from "../limits.ts";
import { commonFlags } from "./flags.ts";
import { setUp, withCluster } from "./open.ts";
import { outcomeOf, tell } from "./outcomes.ts";
import { eachOf, refuseTwins } from "./several.ts";

export const rmCommand = defineCommand({
  meta: { description: "Delete files from the store" },
  args: {
    "name...": {
      type: "positional",
      required: true,
      description: "Names of stored files, or of empty folders (NAME/)",
    },
    ...commonFlags,
  },
  async run({ args }) {
    const names = args._.map(checkEither);
    refuseTwins(
      names,
      (name) => name,
      (name) => `${name} is named twice`,
    );
    const started = performance.now();
    const setup = await setUp(args);
    const summary = await withCluster(setup, async (cluster) => {
      const outcomes = await eachOf(names, FILES_IN_FLIGHT, (name) =>
        outcomeOf(name, setup.log, async () => {
          await remove(cluster, name);
          return null;
        }),
      );
      return { outcomes, traffic: cluster.traffic, seconds: (performance.now() - started) / 1000 };
    });
    return tell(summary, notDeletedLine, setup.log, args);
  },
});

const notDeletedLine = (name: string, error: DfsError): string | null =>
  isDfsError(error, "noSuchName") ? null : `${name} was not deleted`;
