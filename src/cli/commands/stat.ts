/**
 * dfs-tool stat: everything known of a file, and which server holds which piece of it. Also used by
 * the shell.
 */
import { defineCommand } from "citty";
import type { Cluster } from "../../client/connect/cluster.ts";
import { type Stat, stat } from "../../client/files/stat.ts";
import { isDfsError } from "../../errors.ts";
import { type Attributes, isFolder, knownIn, msOf } from "../../file/attributes.ts";
import { checkFolder, checkName, type Name } from "../../file/names.ts";
import { plainFlags } from "../../terminal/flags.ts";
import { setUp, withCluster } from "../config/open.ts";
import { print, printJson } from "../../terminal/stdout.ts";
import { SERVER_STATES, sizeText, tableLines } from "../../terminal/units.ts";

export const statCommand = defineCommand({
  meta: { description: "Show a file's version, size and placement" },
  args: {
    name: { type: "positional", required: true, description: "The name of a stored file" },
    ...plainFlags,
  },
  async run({ args }) {
    const name = checkName(args.name);
    const found = await withCluster(await setUp(args), (cluster) => statOf(cluster, name));
    if (args.json) return printJson(asJson(found));
    for (const line of asLines(found)) await print(line);
  },
});

/** The stat of a file, or of an empty folder, whose "/" may be left out. */
async function statOf(cluster: Cluster, name: Name): Promise<Stat> {
  try {
    return await stat(cluster, name);
  } catch (error) {
    if (!isDfsError(error, "noSuchName") || name.endsWith("/")) throw error;
    const folder = await stat(cluster, checkFolder(name)).catch((second: unknown) => {
      throw isDfsError(second, "noSuchName") ? error : second;
    });
    // A file whose own name ends in "/" is found by that name only.
    if (!isFolder(folder.attributes)) throw error;
    return folder;
  }
}

/** The names of the servers in these slots, in the order of the cluster. */
const namesAt = ({ servers }: Stat, slots: readonly number[]): string[] =>
  servers.flatMap(({ slot, name }) => (slots.includes(slot) ? [name] : []));

const asJson = (found: Stat, { time, kind } = knownIn(found.attributes)) => ({
  name: found.name,
  version: found.vid,
  seq: found.seq,
  bytes: found.bytes,
  modified: time === undefined ? null : dateOf(time),
  layout: found.layout,
  striped: found.striped,
  x: found.rotation,
  folder: kind === "folder",
  incomplete: found.isIncomplete,
  servers: found.servers.map(({ name, state, pieces }) => ({ name, up: state === "up", pieces })),
  pieces: found.pieces.map(({ piece, bytes, servers }) => ({
    piece,
    bytes,
    servers: namesAt(found, servers),
  })),
  attributes: Object.fromEntries(
    [...found.attributes].map(([key, value]) => [key, shownValue(key, value)]),
  ),
});

const dateOf = (time: bigint): string => new Date(msOf(time)).toISOString();

/** A value of an attribute for people and programs: as text, where it is text. */
function shownValue(key: string, value: Uint8Array): string | { readonly base64: string } {
  const { time, mode } = knownIn(new Map([[key, value]]));
  if (time !== undefined) return String(time);
  if (mode !== undefined) return modeText(mode);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(value);
  } catch {
    return { base64: value.toBase64() };
  }
}

const modeText = (mode: number): string => mode.toString(8).padStart(4, "0");

/** The attributes that have no line of another name. */
function attributeLines(attributes: Attributes): string[][] {
  const elsewhere = new Set(["time", "kind", "target"]);
  return [...attributes]
    .filter(([key]) => !elsewhere.has(key))
    .map(([key, value]) => {
      const shown = shownValue(key, value);
      return [key, typeof shown === "string" ? shown : `${value.length} bytes that are no text`];
    });
}

function asLines(found: Stat): string[] {
  const { time, kind = "file", target } = knownIn(found.attributes);
  const facts = [
    ["name", found.name],
    ["version", `${found.vid} (number ${found.seq} of this name)`],
    ["modified", time === undefined ? "not known" : dateOf(time)],
    ["kind", target === undefined ? kind : `link to ${target}`],
  ];
  const attributes = attributeLines(found.attributes);
  if (kind === "folder") return tableLines([...facts, ...attributes]);
  const isComplete = found.isIncomplete
    ? "no: it cannot be rebuilt from the servers that answer"
    : "yes";
  facts.push(
    ["size", `${found.bytes} bytes (${sizeText(found.bytes)})`],
    ["layout", found.striped ? `${found.layout}, in stripes` : found.layout],
    ["x", String(found.rotation)],
    ["complete", isComplete],
    ...attributes,
  );
  const servers = found.servers.map(({ name, state, pieces }) => [
    name,
    SERVER_STATES[state],
    pieces.join(",") || "-",
  ]);
  const pieces = found.pieces.map(({ piece, bytes, servers: slots }) => [
    String(piece),
    String(bytes),
    namesAt(found, slots).join(", ") || "nowhere",
  ]);
  return [
    ...tableLines(facts),
    "",
    ...tableLines([["SERVER", "STATE", "PIECES"], ...servers]),
    "",
    ...tableLines([["PIECE", "BYTES", "ON"], ...pieces]),
  ];
}
