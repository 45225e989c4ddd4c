/** dfs-tool mkdir: makes an empty folder, which is a name that ends in "/". */
import { defineCommand } from "citty";
import { makeFolder } from "../../client/files/put.ts";
import { isDfsError } from "../../errors.ts";
import { attributesOf, timeOfMs } from "../../file/attributes.ts";
import { checkFolder, checkNewName } from "../../file/names.ts";
import { plainFlags } from "../../terminal/flags.ts";
import { setUp, withCluster } from "../config/open.ts";
import { notPut } from "../local/outcomes.ts";
import { printJson } from "../../terminal/stdout.ts";

const MODE = 0o755;

export const mkdirCommand = defineCommand({
  meta: { description: "Make an empty folder in the store" },
  args: {
    "dir/": { type: "positional", required: true, description: "The name of the folder" },
    ...plainFlags,
  },
  async run({ args }) {
    const name = checkNewName(checkFolder(args["dir/"]));
    const about = attributesOf({ time: timeOfMs(Date.now()), mode: MODE, by: "command" });
    await withCluster(await setUp(args), (cluster) => makeFolder(cluster, name, about)).catch(
      (error: unknown) => {
        throw isDfsError(error, "tooFew") ? notPut(error) : error;
      },
    );
    if (args.json) await printJson({ name });
  },
});
