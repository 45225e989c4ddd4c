/** dfs-tool version: prints which program this is. */
import { defineCommand } from "citty";
import { commonFlags } from "../../terminal/flags.ts";
import { COMMIT, RELEASE } from "../../release.ts";
import { print, printJson } from "../../terminal/stdout.ts";

export const versionCommand = defineCommand({
  meta: { description: "Show the version of this program" },
  args: { json: commonFlags.json },
  async run({ args }) {
    const platform = `${process.platform}-${process.arch}`;
    if (args.json) {
      return printJson({ version: RELEASE, commit: COMMIT, bun: Bun.version, platform });
    }
    await print(`dfs-tool ${RELEASE} (commit ${COMMIT}, Bun ${Bun.version}, ${platform})`);
  },
});
