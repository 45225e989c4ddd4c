/** The rules by which a folder that is not what its server left is noticed, each broken on purpose; see mutants.ts. */
import type { Mutant } from "./mutant.ts";

export const LIFE_MUTANTS: readonly Mutant[] = [
  {
    name: "no-lives",
    rule: "what others know of a server's lives is not asked about",
    within: 20,
    plot: "restored",
    breaks: { "lives-are-compared": () => "[]" },
  },
  {
    name: "nobody-is-told",
    rule: "a server's life is told to no other",
    within: 20,
    plot: "restored",
    breaks: { "lives-are-told": () => "[]" },
  },
  {
    name: "higher-life-wins",
    rule: "a server that has had more lives than is known passes for itself",
    within: 20,
    plot: "restless",
    breaks: { "only-own-lives": (was) => `life < this.now.life || ${was}` },
  },
  {
    name: "lost-log-served",
    rule: "a folder in use whose log is gone is served",
    within: 20,
    plot: "beheaded",
    breaks: { "lost-log-is-refused": "always" },
  },
  {
    name: "copies-do-not-settle",
    rule: "a copy counts before others know of it",
    within: 20,
    plot: "forked",
    breaks: { "copies-settle-first": "never" },
  },
  {
    name: "unseated-not-kept",
    rule: "who is told of lives is first told who the members are",
    within: 100,
    plot: "carriedAway",
    breaks: { "members-before-lives": "never" },
  },
  {
    name: "settled-by-one-less",
    rule: "a copy counts once fewer others know of it than choose a value",
    within: 20,
    plot: "forked",
    breaks: { "known-by-enough": (was) => `${was} - 1` },
  },
];
