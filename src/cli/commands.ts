/** The commands, each loaded only when it is asked for. */
import { defineCommand, type SubCommandsDef } from "citty";
import type { CommandName } from "./command_names.ts";
import type { completionOf } from "./completion.ts";

export const COMMANDS = {
  serve: async () => (await import("./serve.ts")).serveCommand,
  init: async () => (await import("./init.ts")).initCommand,
  put: async () => (await import("./put.ts")).putCommand,
  get: async () => (await import("./get.ts")).getCommand,
  list: async () => (await import("./list.ts")).listCommand,
  stat: async () => (await import("./stat.ts")).statCommand,
  rm: async () => (await import("./rm.ts")).rmCommand,
  mkdir: async () => (await import("./mkdir.ts")).mkdirCommand,
  status: async () => (await import("./status.ts")).statusCommand,
  verify: async () => (await import("./verify.ts")).verifyCommand,
  server: async () => (await import("./server.ts")).serverCommand,
  user: async () => (await import("./user.ts")).userCommand,
  adopt: async () => (await import("./adopt.ts")).adoptCommand,
  rebalance: async () => (await import("./rebalance.ts")).rebalanceCommand,
  repair: async () => (await import("./repair.ts")).repairCommand,
  shell: async () => (await import("./shell.ts")).shellCommand,
  bench: async () => (await import("./bench.ts")).benchCommand,
  demo: async () => (await import("./demo.ts")).demoCommand,
  version: async () => (await import("./version.ts")).versionCommand,
  // It completes all of these.
  completion: async (): Promise<ReturnType<typeof completionOf>> =>
    (await import("./completion.ts")).completionOf(COMMANDS),
} as const satisfies SubCommandsDef & Record<CommandName, unknown>;

/** All commands as one, for the help text. */
export const overview = defineCommand({
  meta: { description: "A distributed file store in one executable" },
  subCommands: COMMANDS,
});
