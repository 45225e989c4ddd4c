/** The commands, each loaded only when it is used. Used by main.ts. */
import { defineCommand, type SubCommandsDef } from "citty";
import type { CommandName } from "./invocation/command_names.ts";
import type { completionOf } from "./commands/completion.ts";

export const COMMANDS = {
  serve: async () => (await import("./admin/serve.ts")).serveCommand,
  init: async () => (await import("./admin/init.ts")).initCommand,
  put: async () => (await import("./commands/put.ts")).putCommand,
  get: async () => (await import("./commands/get.ts")).getCommand,
  list: async () => (await import("./commands/list.ts")).listCommand,
  stat: async () => (await import("./commands/stat.ts")).statCommand,
  cp: async () => (await import("./commands/cp_mv.ts")).cpCommand,
  mv: async () => (await import("./commands/cp_mv.ts")).mvCommand,
  rm: async () => (await import("./commands/rm.ts")).rmCommand,
  mkdir: async () => (await import("./commands/mkdir.ts")).mkdirCommand,
  status: async () => (await import("./admin/status.ts")).statusCommand,
  verify: async () => (await import("./admin/verify.ts")).verifyCommand,
  server: async () => (await import("./admin/server.ts")).serverCommand,
  user: async () => (await import("./admin/user.ts")).userCommand,
  adopt: async () => (await import("./commands/adopt.ts")).adoptCommand,
  rebalance: async () => (await import("./admin/rebalance.ts")).rebalanceCommand,
  repair: async () => (await import("./admin/repair.ts")).repairCommand,
  shell: async () => (await import("./commands/shell.ts")).shellCommand,
  bench: async () => (await import("./tools/bench.ts")).benchCommand,
  demo: async () => (await import("./tools/demo.ts")).demoCommand,
  version: async () => (await import("./commands/version.ts")).versionCommand,
  // The completion script covers all of these commands.
  completion: async (): Promise<ReturnType<typeof completionOf>> =>
    (await import("./commands/completion.ts")).completionOf(COMMANDS),
} as const satisfies SubCommandsDef & Record<CommandName, unknown>;

/** All commands as one, for the help text. */
export const overview = defineCommand({
  meta: { description: "A distributed file store in one executable" },
  subCommands: COMMANDS,
});
