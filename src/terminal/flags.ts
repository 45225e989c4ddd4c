/** The flags that all commands of the client have. Used by the commands. */
import type { ArgsDef } from "citty";

export const commonFlags = {
  config: {
    type: "string",
    valueHint: "FILE",
    description: "The configuration, instead of $DFS_CONFIG, ./dfc.conf or ~/dfc.conf",
  },
  json: { type: "boolean", description: "Print the result as JSON" },
  quiet: { type: "boolean", alias: "q", description: "Print errors only, no warnings" },
  verbose: { type: "boolean", alias: "v", description: "Say on stderr what is done" },
  progress: {
    type: "boolean",
    default: true,
    description: "Show a progress bar on a terminal",
    negativeDescription: "Show no progress bar",
  },
} as const satisfies ArgsDef;

/**
 * The flags of a command that shows no bar: it accepts those of the bar, and its help does not show
 * them.
 */
export const plainFlags = {
  ...commonFlags,
  progress: { type: "boolean", default: true },
} as const satisfies ArgsDef;

/** The flags of a command that goes through all names, or those of a folder. */
export const namesFlags = {
  prefix: {
    type: "positional",
    required: false,
    description: "Only names that begin so, as in photos/",
  },
  "dry-run": { type: "boolean", description: "Only say what is to be done" },
} as const satisfies ArgsDef;

export interface CommonFlags {
  readonly config?: string | undefined;
  readonly json?: boolean | undefined;
  readonly quiet?: boolean | undefined;
  readonly verbose?: boolean | undefined;
  readonly progress?: boolean | undefined;
}

/** The same flags as arguments, for a command that runs on behalf of another. */
export const flagsAgain = ({ config, json, quiet, verbose, progress }: CommonFlags): string[] => [
  ...(config === undefined ? [] : [`--config=${config}`]),
  ...(json ? ["--json"] : []),
  ...(quiet ? ["--quiet"] : []),
  ...(verbose ? ["--verbose"] : []),
  ...(progress === false ? ["--no-progress"] : []),
];
