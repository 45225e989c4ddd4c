/**
 * Checks a command's arguments against its definition before citty reads them: citty silently
 * accepts an unknown flag, a flag without its value, and an argument too many. Used by invoke.ts;
 * its hints are used elsewhere too.
 */
import type { ArgDef, ArgsDef } from "citty";
import { DfsError } from "../../errors.ts";

/** A positional argument whose name ends so takes all arguments that are left. */
const MANY = "...";

/**
 * Returns the same arguments in a form with one meaning, flags first. Throws DfsError("usage") on
 * what the command does not take.
 */
export function checkArguments(raw: readonly string[], defs: ArgsDef): string[] {
  const flags: string[] = [];
  const positionals: string[] = [];
  const rest = [...raw];
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg === "--") positionals.push(...rest.splice(0));
    else if (arg.startsWith("--")) flags.push(longFlag(arg, rest, defs));
    else if (arg.startsWith("-") && arg !== "-") flags.push(...shortFlags(arg, rest, defs));
    else positionals.push(arg);
  }
  checkPositionals(positionals, defs);
  return [...flags, "--", ...positionals];
}

function longFlag(arg: string, rest: string[], defs: ArgsDef): string {
  const [, flag = "", value] = /^--([^=]*)(?:=([^]*))?$/.exec(arg) ?? [];
  const defOf = (name: string): ArgDef | undefined =>
    Object.hasOwn(defs, name) ? defs[name] : undefined;
  const negated = flag.startsWith("no-") ? defOf(flag.slice("no-".length)) : undefined;
  if (negated?.type === "boolean" && value === undefined) return arg;
  const def = defOf(flag);
  if (!def || def.type === "positional") {
    throw new DfsError("usage", `there is no flag --${flag}${hint(flag, longFlagsOf(defs))}`);
  }
  if (def.type !== "boolean") return `--${flag}=${value ?? valueOf(`--${flag}`, rest)}`;
  if (value !== undefined) throw new DfsError("usage", `--${flag} takes no value`);
  return arg;
}

/** `-q`, `-qv`, `-o FILE`, `-oFILE`. */
function shortFlags(arg: string, rest: string[], defs: ArgsDef): string[] {
  const out: string[] = [];
  for (let i = 1; i < arg.length; i++) {
    const [flag, def] = flagOfLetter(arg.charAt(i), defs);
    if (def.type === "boolean") {
      out.push(`--${flag}`);
      continue;
    }
    const attached = arg.slice(i + 1).replace(/^=/, "");
    return [...out, `--${flag}=${attached || valueOf(`-${arg.charAt(i)}`, rest)}`];
  }
  return out;
}

function flagOfLetter(letter: string, defs: ArgsDef): [string, ArgDef] {
  const found = Object.entries(defs).find(([, def]) => "alias" in def && def.alias === letter);
  if (found) return found;
  throw new DfsError(
    "usage",
    `there is no flag -${letter}; after "--" names may begin with a dash`,
  );
}

function valueOf(flag: string, rest: string[]): string {
  const next = rest[0];
  if (next === undefined || (next.startsWith("-") && next !== "-")) {
    throw new DfsError("usage", `${flag} needs a value`);
  }
  rest.shift();
  return next;
}

const longFlagsOf = (defs: ArgsDef): string[] =>
  Object.keys(defs).filter((key) => defs[key]?.type !== "positional");

function checkPositionals(given: readonly string[], defs: ArgsDef): void {
  const wanted = Object.entries(defs).filter(([, def]) => def.type === "positional");
  const missing = wanted.slice(given.length).find(([, def]) => def.required !== false);
  if (missing) throw new DfsError("usage", `${missing[0].toUpperCase()} is missing`);
  const takesMany = wanted.some(([name]) => name.endsWith(MANY));
  if (given.length > wanted.length && !takesMany) {
    throw new DfsError(
      "usage",
      `there is one argument too many: ${JSON.stringify(given[wanted.length])}`,
    );
  }
}

/**
 * The action of a command that has several. Throws DfsError("usage") if there is no such action.
 */
export function actionIn<A extends string>(
  command: string,
  actions: Readonly<Record<A, string>>,
  word: string,
): A {
  if (Object.hasOwn(actions, word)) return word as A;
  throw new DfsError(
    "usage",
    `there is no dfs-tool ${command} ${word}; there is ${Object.keys(actions).join(", ")}`,
  );
}

/**
 * Returns `; did you mean …?` if one of the known words is close to what was typed, in upper or
 * lower case.
 */
export function hint(typed: string, known: readonly string[]): string {
  const near = known
    .map((word) => ({ word, distance: editDistance(typed.toLowerCase(), word.toLowerCase()) }))
    .filter(({ word, distance }) => distance <= Math.max(1, Math.floor(word.length / 3)))
    .sort((a, b) => a.distance - b.distance)[0];
  return near ? `; did you mean ${near.word}?` : "";
}

/**
 * How many letters must be inserted, left out, replaced or swapped with the next one to make `a`
 * into `b`.
 */
function editDistance(a: string, b: string): number {
  let above: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwap = i > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swapped = isSwap ? (above[j - 2] ?? 0) + 1 : Infinity;
      next.push(Math.min(replaced, swapped, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    [above, row] = [row, next];
  }
  return row[b.length] ?? 0;
}
