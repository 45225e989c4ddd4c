/** The rooms of src, and who may import whom: one way only (docs/design.md, section 3). tidy.test.ts holds the code to it. */
import { dirname, join } from "node:path";

/** The values that all rooms share, each with those that it stands on. */
const VALUES: Record<string, string[]> = {
  errors: [],
  limits: [],
  printable: [],
  counted: [],
  release: [],
  cursor: ["errors"],
  bytes: ["errors", "limits", "cursor"],
  membership: ["errors", "limits", "bytes"],
  seating: ["limits", "membership"],
  quorum: ["membership"],
  life: ["limits", "bytes", "membership"],
  version: ["errors", "limits", "bytes"],
  outline: ["bytes", "limits", "version"],
  soundness: ["limits", "version"],
};
const HASHES = ["node:crypto"];

export interface Part {
  /** Which parts of src it may import, besides itself: a value, a room, or one file of a room. */
  parts: string[];
  /** Which modules from outside of src; "any" is for what may touch the machine. */
  modules: string[] | "any";
}

/** These rooms, each of which may import those before it. */
const inARow = (names: string[], { parts, modules }: Part): Record<string, Part> =>
  Object.fromEntries(
    names.map((name, i) => [name, { parts: [...parts, ...names.slice(0, i)], modules }]),
  );

const values = Object.keys(VALUES);
const STORE = ["store/catalog", "store/pieces", "store"];
const SERVER = ["server/bounds", "server/access", "server/answers", "server"];
const CLIENT = ["trust", "connect", "agree", "fetch", "send", "files", "members", "care"].map(
  (name) => `client/${name}`,
);
/** The one face of the library. Its configuration knows the names that users may have. */
const API = ["api/config", "api"];
const MACHINE_ROOMS = ["terminal", "server/users", "server/process"];
const COMMANDS = ["local", "config", "invocation", "admin", "commands", "tools"].map(
  (name) => `cli/${name}`,
);
const PROGRAM = [...values, "file", "wire", "io", ...STORE, ...SERVER, ...CLIENT];

/** Who may import whom. The most exact entry counts: "io/ports" before "io". */
export const PARTS: Record<string, Part> = {
  ...Object.fromEntries(
    values.map((name) => [name, { parts: VALUES[name] ?? [], modules: HASHES }]),
  ),
  release: { parts: [], modules: "any" },
  file: { parts: values, modules: HASHES },
  "file/parity": { parts: [...values, "file/split"], modules: [] },
  "file/sealed_name": { parts: [...values, "file"], modules: ["@noble/ciphers/aes.js"] },
  wire: { parts: [...values, "file/names"], modules: HASHES },
  "io/ports": { parts: values, modules: ["bun:sqlite"] },
  "io/replace_durably": { parts: [...values, "io/ports"], modules: [] },
  io: { parts: [...values, "file", "wire"], modules: "any" },
  ...inARow(STORE, {
    parts: [
      ...values,
      "file/names",
      "file/checksum",
      "file/hash_slot",
      "io/ports",
      "io/replace_durably",
    ],
    modules: [...HASHES, "bun:sqlite"],
  }),
  ...inARow(SERVER, {
    parts: [...values, "file/names", "file/placement", "wire", "store", "io/ports"],
    modules: [],
  }),
  ...inARow(CLIENT, { parts: [...values, "wire", "file", "io/ports"], modules: HASHES }),
  ...inARow(API, {
    parts: [...values, "file", "wire", "io", ...CLIENT, "server/users"],
    modules: "any",
  }),
  ...inARow(MACHINE_ROOMS, { parts: PROGRAM, modules: "any" }),
  ...inARow([...COMMANDS, "cli", "main"], {
    parts: [...PROGRAM, ...API, ...MACHINE_ROOMS],
    modules: "any",
  }),
};

/** "src/client/files/put.ts" → ["client/files/put", "client/files", "client"]: its names in PARTS, the most exact first. */
function namesOf(path: string): string[] {
  const segments = path.slice("src/".length).replace(/\.ts$/, "").split("/");
  return segments.map((_, i) => segments.slice(0, segments.length - i).join("/"));
}

/** The entry of PARTS that a file belongs to. */
export const roomOf = (path: string): string | undefined =>
  namesOf(path).find((name) => name in PARTS);

export function mayImport(path: string, part: Part, specifier: string): boolean {
  if (!specifier.startsWith(".")) return part.modules === "any" || part.modules.includes(specifier);
  const target = join(dirname(path), specifier);
  // A folder in a room is of that room.
  const isOwn =
    dirname(path) !== "src" &&
    (dirname(target) === dirname(path) || roomOf(target) === roomOf(path));
  return isOwn || namesOf(target).some((name) => part.parts.includes(name));
}
