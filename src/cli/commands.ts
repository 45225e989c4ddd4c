/** The commands, each loaded only when it is asked for. */
import type { CommandDef } from "citty";

export const COMMANDS = {
  serve: async () => (await import("./serve.ts")).serveCommand,
  put: async () => (await import("./put.ts")).putCommand,
  get: async () => (await import("./get.ts")).getCommand,
  list: async () => (await import("./list.ts")).listCommand,
  stat: async () => (await import("./stat.ts")).statCommand,
  mkdir: async () => (await import("./mkdir.ts")).mkdirCommand,
  shell: async () => (await import("./shell.ts")).shellCommand,
  demo: async () => (await import("./demo.ts")).demoCommand,
  version: async () => (await import("./version.ts")).versionCommand,
  completion: async () => (await import("./completion.ts")).completionCommand,
} as const satisfies Record<string, () => Promise<CommandDef<never>>>;

export type CommandName = keyof typeof COMMANDS;

/** Other words for a command. */
export const ALIASES: Readonly<Record<string, CommandName>> = { ls: "list" };
