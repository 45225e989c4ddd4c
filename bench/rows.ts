/** What is measured: commands of a client, in lots that share their servers, each with what plain programs do with the same bytes. */
import { join } from "node:path";
import { sizeText } from "../src/terminal/units.ts";
import type { Stage } from "../test/harness/stage.ts";
import {
  type Beside,
  copy,
  oneFolder,
  overLoopback,
  removal,
  twoCopies,
  twoCopiesAtOnce,
  twoFolders,
} from "./beside.ts";
import type { Inputs } from "./inputs.ts";

export interface Row {
  /** What the limits know it by. */
  readonly id: string;
  readonly name: string;
  /** What must be so before each run, and what undoes that. */
  readonly before?: (stage: Stage) => unknown;
  readonly after?: (stage: Stage) => unknown;
  readonly isLarge?: boolean;
  /** The command, in this run. */
  readonly args: (run: number) => readonly string[];
  /** The first is what it is measured by. */
  readonly beside: readonly Beside[];
}

/** The servers that are stopped. */
const ONE = [3];
const TWO = [2, 3];

const each = async (
  stage: Stage,
  slots: readonly number[],
  what: "kill" | "start" | "freeze" | "thaw",
): Promise<void> => {
  for (const slot of slots) await stage.server(slot)[what]();
};

const isDead = (slots: readonly number[]): Pick<Row, "before" | "after"> => ({
  before: (stage) => each(stage, slots, "kill"),
  after: (stage) => each(stage, slots, "start"),
});

const isFrozen = (slots: readonly number[]): Pick<Row, "before" | "after"> => ({
  before: (stage) => each(stage, slots, "freeze"),
  after: (stage) => each(stage, slots, "thaw"),
});

/** One large file; healthy, and with servers that are lost, right after each other. */
export function largeRows({ files, bytes }: Inputs): Row[] {
  const big = join(files, "big");
  const size = sizeText(bytes);
  const put =
    (...more: string[]) =>
    () => ["put", "--json", ...more, big];
  const get = (name: string) => () => ["get", "--json", name, "-o", "back"];
  const written = [twoCopies(files), overLoopback(files, bytes, 2)];
  const read = [copy(files), overLoopback(files, bytes, 1)];
  const rows: Row[] = [
    {
      id: "put",
      name: `put ${size}`,
      args: put(),
      beside: [...written, twoCopiesAtOnce(files)],
    },
    { id: "overwrite", name: `overwrite ${size}`, args: put(), beside: written },
    { id: "get", name: `get ${size}`, args: get("big"), beside: read },
    {
      id: "get, dead",
      name: `get ${size}, one server dead`,
      ...isDead(ONE),
      args: get("big"),
      beside: read,
    },
    {
      id: "get, frozen",
      name: `get ${size}, one frozen`,
      ...isFrozen(ONE),
      args: get("big"),
      beside: read,
    },
    {
      id: "put rs",
      name: `put ${size}, rs:2+2`,
      // So that it is not an overwrite; where it is not there yet, that is all right too.
      before: (stage) => stage.dfs("rm", "-q", "rs"),
      args: put("--layout", "rs:2+2", "--name", "rs"),
      beside: written,
    },
    { id: "get rs", name: `get ${size}, rs:2+2`, args: get("rs"), beside: read },
    {
      id: "get rs, dead",
      name: `get ${size}, rs:2+2, two dead`,
      ...isDead(TWO),
      args: get("rs"),
      beside: read,
    },
    { id: "delete", name: `delete ${size}`, args: () => ["rm", "--json", "big"], beside: [] },
  ];
  return rows.map((row) => ({ ...row, isLarge: true }));
}

/** One small file in one command: what a command takes at least. */
export function oneRows({ files, small }: Inputs): Row[] {
  const path = join(files, "small", small[0] ?? "");
  return [
    {
      id: "put one",
      name: "put 1 x 4 KiB",
      args: () => ["put", "--json", "--name", "one", path],
      beside: [],
    },
    { id: "get one", name: "get 1 x 4 KiB", args: () => ["get", "--json", "one"], beside: [] },
  ];
}

/** Many small files in one command. */
export function smallRows({ files, small, tiny }: Inputs): Row[] {
  const from = (folder: string, names: readonly string[]): string[] =>
    names.map((name) => join(files, folder, name));
  const what = ["1,000 x 4 KiB", "10,000 x 1 KiB"] as const;
  return [
    {
      id: "put small",
      name: `put ${what[0]}`,
      args: () => ["put", "--json", ...from("small", small)],
      beside: [twoFolders(files, "small")],
    },
    {
      id: "get small",
      name: `get ${what[0]}`,
      args: () => ["get", "--json", ...small],
      beside: [oneFolder(files, "small")],
    },
    {
      id: "delete small",
      name: `delete ${what[0]}`,
      args: () => ["rm", "--json", ...small],
      beside: [removal(files, "small")],
    },
    {
      id: "put tiny",
      name: `put ${what[1]}`,
      // To delete so many before they are put again would take as long as all the rest.
      args: (run) => ["put", "--json", "--to", `${run}/`, ...from("tiny", tiny)],
      beside: [twoFolders(files, "tiny")],
    },
    {
      id: "get tiny",
      name: `get ${what[1]}`,
      args: (run) => ["get", "--json", ...tiny.map((name) => `${run}/${name}`)],
      beside: [oneFolder(files, "tiny")],
    },
  ];
}

const SEALED = new Set(
  ["put", "get", "delete"].flatMap((what) => [what, `${what} small`, `${what} one`]),
);

/** With a password: all that is stored is sealed, and every command logs in. */
export const sealed = (rows: readonly Row[]): Row[] =>
  rows
    .filter(({ id }) => SEALED.has(id))
    .map((row) => ({ ...row, id: `${row.id}, sealed`, name: `${row.name}, with a password` }));

/** Commands in a store of many names. */
export function manyRows(names: number): Row[] {
  const count = names.toLocaleString("en");
  return [
    { id: "list", name: `list ${count} names`, args: () => ["list"], beside: [] },
    { id: "stat", name: "stat one of them", args: () => ["stat", "folder 7/file 7"], beside: [] },
  ];
}
