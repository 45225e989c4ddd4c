/**
 * The names of the commands, and one example of each, which its help text ends with. Used by
 * invoke.ts and main.ts.
 */

/** The arguments of each example. */
export const EXAMPLES = {
  serve: "./dfs1 10001",
  init: "127.0.0.1:10001 127.0.0.1:10002 127.0.0.1:10003 127.0.0.1:10004",
  put: "report.pdf photo.jpg --to 2026/",
  get: "2026/photo.jpg -o back.jpg",
  list: "2026/",
  stat: "2026/photo.jpg",
  cp: "2026/photo.jpg best/",
  mv: "2026/photo.jpg 2026/cover.jpg",
  rm: "2026/report.pdf 2026/photo.jpg",
  mkdir: "2026/",
  adopt: "photos/",
  status: "--watch",
  verify: "--sample 5%",
  server: "replace DFS2",
  user: "add ./dfs1 Alice",
  rebalance: "--dry-run",
  repair: "--dry-run",
  shell: "--config dfc.conf",
  bench: "--size 100 --files 200",
  demo: "",
  version: "--json",
  completion: "bash > ~/.dfs-tool-completion",
} as const;

export type CommandName = keyof typeof EXAMPLES;

/** The command for a word; undefined if there is none. */
export function commandNamed(word: string): CommandName | undefined {
  if (word === "ls") return "list";
  return Object.hasOwn(EXAMPLES, word) ? (word as CommandName) : undefined;
}
