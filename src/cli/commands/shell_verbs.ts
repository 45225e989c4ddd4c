/**
 * The verbs of dfs-tool shell: the form of each, and the command that it runs. Used by shell.ts.
 */
import { hasAny } from "../../client/files/list.ts";
import { DfsError } from "../../errors.ts";
import { hint } from "../invocation/arguments.ts";
import { type CommonFlags, flagsAgain } from "../../terminal/flags.ts";
import { cpCommand, mvCommand } from "./cp_mv.ts";
import { getCommand } from "./get.ts";
import { invoke } from "../invocation/invoke.ts";
import { listFrom } from "./list.ts";
import { mkdirCommand } from "./mkdir.ts";
import { setUp, withCluster } from "../config/open.ts";
import { putCommand } from "./put.ts";
import { rmCommand } from "./rm.ts";
import { statCommand } from "./stat.ts";
import { statusCommand } from "../admin/status.ts";
import { tableLines } from "../../terminal/units.ts";

/** What a shell keeps from one line to the next. */
export interface ShellSession {
  readonly flags: CommonFlags;
  /** The folder of the store that names start from: "", or with "/" at its end. */
  folder: string;
}

interface Verb {
  readonly form: string;
  readonly about: string;
  /** The fewest and the most words that it takes. */
  readonly least: number;
  readonly most: number;
  /** Runs the verb, and resolves to its exit status. Throws DfsError. */
  run(session: ShellSession, words: readonly string[]): Promise<number>;
}

const LIST: Verb = {
  form: "LIST [dir]",
  about: "the names in the store, or those below a folder; LS too",
  least: 0,
  most: 1,
  run: (session, [dir = "."]) =>
    invoke(listFrom(session.folder), null, [
      ...flagsAgain(session.flags),
      "--",
      asFolder(nameIn(session, dir)),
    ]),
};

const VERBS: Readonly<Record<string, Verb>> = {
  LIST,
  LS: LIST,
  GET: {
    form: "GET name... [dir/]",
    about: "bring files back, into the current folder; those of a folder of the store",
    least: 1,
    most: Infinity,
    run: (session, words) => {
      const [names, dir] = splitFolder(words);
      return onNames(session, getCommand, dir === null ? words : names.map((name) => dir + name));
    },
  },
  PUT: {
    form: "PUT file... [dir/]",
    about: "store files, in a folder of the store; PUT file name stores it under another name",
    least: 1,
    most: Infinity,
    run: put,
  },
  CP: {
    form: "CP name to",
    about: "copy a file to another name, or into a folder: dir/",
    least: 2,
    most: 2,
    run: (session, words) => onNames(session, cpCommand, words),
  },
  MV: {
    form: "MV name to",
    about: "move a file to another name, or into a folder: dir/",
    least: 2,
    most: 2,
    run: (session, words) => onNames(session, mvCommand, words),
  },
  MKDIR: {
    form: "MKDIR dir",
    about: "make an empty folder in the store",
    least: 1,
    most: 1,
    run: (session, words) => onNames(session, mkdirCommand, words),
  },
  RM: {
    form: "RM name...",
    about: "delete files and empty folders",
    least: 1,
    most: Infinity,
    run: (session, words) => onNames(session, rmCommand, words),
  },
  STAT: {
    form: "STAT name",
    about: "all that is known of a file, and which server holds what of it",
    least: 1,
    most: 1,
    run: (session, words) => onNames(session, statCommand, words),
  },
  STATUS: {
    form: "STATUS",
    about: "whether the data is safe, and how the servers do",
    least: 0,
    most: 0,
    run: ({ flags }) => invoke(statusCommand, null, flagsAgain(flags)),
  },
  CD: {
    form: "CD [dir]",
    about: "take names from this folder of the store on; CD alone from the top",
    least: 0,
    most: 1,
    run: changeFolder,
  },
};

const OTHERS = [
  ["HELP", "this text"],
  ["EXIT", "end; so do QUIT and the end of the input"],
];

/** The text of HELP. */
export const helpText = (): string => {
  const verbs = Object.values(VERBS).filter((verb, i, all) => all.indexOf(verb) === i);
  return [
    ...tableLines([...verbs.map(({ form, about }) => [form, about]), ...OTHERS]),
    'Names with spaces go in quotes: GET "my file.txt"',
  ].join("\n");
};

/** Runs a verb with its words. Resolves to its exit status. Throws DfsError. */
export function runVerb(
  session: ShellSession,
  word: string,
  words: readonly string[],
): Promise<number> {
  const name = word.toUpperCase();
  const verb = Object.hasOwn(VERBS, name) ? VERBS[name] : undefined;
  if (!verb) {
    const known = [...Object.keys(VERBS), ...OTHERS.flatMap(([other]) => other ?? []), "QUIT"];
    throw new DfsError("usage", `${word} is none of ${known.join(", ")}${hint(name, known)}`);
  }
  if (words.length < verb.least || words.length > verb.most)
    throw new DfsError("usage", `write it so: ${verb.form}`);
  return verb.run(session, words);
}

/** Splits off the last word if it is a folder with other words before it. */
function splitFolder(words: readonly string[]): [words: readonly string[], folder: string | null] {
  const last = words.at(-1);
  return words.length > 1 && last?.endsWith("/") ? [words.slice(0, -1), last] : [words, null];
}

/** Runs a command on names of the store. */
const onNames = (
  session: ShellSession,
  command: Parameters<typeof invoke>[0],
  words: readonly string[],
): Promise<number> =>
  invoke(command, null, [
    ...flagsAgain(session.flags),
    "--",
    ...words.map((word) => nameIn(session, word)),
  ]);

/**
 * Behaves like `cp`: if the second word ends in "/", or a folder of that name exists, the file goes
 * into that folder; otherwise the word is the name of the file.
 */
async function put(session: ShellSession, words: readonly string[]): Promise<number> {
  const [files, dir] = splitFolder(words);
  const [file = "", second] = words;
  const store = (to: string, paths: readonly string[], more: readonly string[] = []) =>
    invoke(putCommand, null, [
      ...flagsAgain(session.flags),
      ...(to === "" ? [] : [`--to=${to}`]),
      ...more,
      "--",
      ...paths,
    ]);
  if (dir !== null) return store(nameIn(session, dir), files);
  if (second === undefined) return store(session.folder, files);
  if (words.length > 2)
    throw new DfsError("usage", 'several files go into a folder: end it with "/"');
  const target = nameIn(session, second);
  if (await isFolder(session, target)) return store(asFolder(target), [file]);
  return store("", [file], [`--name=${target}`]);
}

async function changeFolder(
  session: ShellSession,
  [dir = "/"]: readonly string[],
): Promise<number> {
  const target = nameIn(session, dir);
  if (!(await isFolder(session, target)))
    throw new DfsError("noSuchName", `there is no folder ${target}`);
  session.folder = asFolder(target);
  return 0;
}

/** Is there such a folder, made by mkdir or by a name below it? */
const isFolder = async ({ flags }: ShellSession, name: string): Promise<boolean> =>
  name === "" || withCluster(await setUp(flags), (cluster) => hasAny(cluster, asFolder(name)));

const asFolder = (name: string): string => (name === "" || name.endsWith("/") ? name : `${name}/`);

/**
 * The name that a word stands for. "." and ".." work as in paths, and a leading "/" starts from the
 * top. "" is the top.
 */
function nameIn({ folder }: Pick<ShellSession, "folder">, word: string): string {
  const parts: string[] = [];
  for (const part of (word.startsWith("/") ? word : folder + word).split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  const name = parts.join("/");
  return /(?:^|\/)\.{0,2}$/.test(word) ? asFolder(name) : name;
}
