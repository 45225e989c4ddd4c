/** dfs-tool rebalance: moves files to where they would be put today. */
import { defineCommand } from "citty";
import { counted } from "../../counted.ts";
import { rebalance } from "../../client/care/rebalance.ts";
import { exitStatus } from "../../errors.ts";
import { commonFlags, namesFlags } from "../../terminal/flags.ts";
import { setUp, withCluster } from "../config/open.ts";
import { openProgress } from "../../terminal/progress.ts";
import { print, printJson } from "../../terminal/stdout.ts";
import { sizeText } from "../../terminal/units.ts";

export const rebalanceCommand = defineCommand({
  meta: { description: "Move files to where they would be put today, as after a server was added" },
  args: {
    ...namesFlags,
    ...commonFlags,
  },
  async run({ args }) {
    const dryRun = args["dry-run"] ?? false;
    const setup = await setUp(args);
    const progress = openProgress("rebalance", args);
    const total = { files: 0, bytes: 0, unmoved: 0 };
    try {
      await withCluster(
        setup,
        async (cluster) => {
          const { placement } = setup.configuration;
          const options = { dryRun, placement, progress: (bytes: number) => progress.add(bytes) };
          for await (const { name, bytes, problem } of rebalance(
            cluster,
            args.prefix ?? "",
            options,
          )) {
            total.files++;
            total.bytes += bytes;
            if (problem !== null) total.unmoved++;
            if (!args.json)
              await print(`${name}: ${problem ?? (dryRun ? "would be moved" : "moved")}`);
          }
        },
        { keys: "handy" },
      );
    } finally {
      progress.stop();
    }
    const { files, bytes, unmoved } = total;
    if (args.json) await printJson({ dryRun, ...total });
    else if (files === 0) await print("nothing to move");
    else
      await print(
        `${dryRun ? "to do" : "done"}: ${counted(files, "file")}, ${sizeText(bytes)}${unmoved > 0 ? `, ${unmoved} of them not moved` : ""}`,
      );
    return unmoved > 0 ? exitStatus("partly") : 0;
  },
});
