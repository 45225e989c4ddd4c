/**
 * Reads dfc.conf: which servers there are, and how to use them (docs/design.md section 2). Used by
 * store.ts, and by all commands of the client.
 */
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { type ServerAddress, writtenAddress } from "../../membership.ts";
import { asDfsError, DfsError } from "../../errors.ts";
import { type Layout, layoutOf, PAIRS } from "../../file/layout.ts";
import { HOST_BYTES, PATIENCE_MS_MAX, PATIENCE_MS_MIN, SERVERS_MAX } from "../../limits.ts";
import { checkFound, isHome } from "./trust.ts";
import { faultOfUser, whyUnreadable } from "../../server/users/users.ts";

/** Where the password comes from: the word itself, a file, or a command. */
export interface PasswordSource {
  readonly is: "word" | "file" | "command";
  readonly text: string;
}

export interface Configuration {
  /** The path of the file. */
  readonly path: string;
  /** Was the file only found in the current folder, and not named by the user? */
  readonly isFound: boolean;
  readonly servers: readonly ServerAddress[];
  /** "" if none. */
  readonly user: string;
  /** What the file says about the password; null if nothing. */
  readonly password: PasswordSource | null;
  /** Is there no TLS to other machines? Their servers were then started with --insecure. */
  readonly isPlain: boolean;
  /** How long a server may take for its first reply, in ms; null for the usual time. */
  readonly patienceMs: number | null;
  /** What the rotation of a file is computed from. */
  readonly placement: "name" | "content";
  /** How files become pieces. */
  readonly layout: Layout;
}

const FORMS = {
  server: "Server NAME HOST:PORT",
  username: "Username: NAME",
  password: "Password: WORD",
  passwordfile: "PasswordFile: FILE",
  passwordcommand: "PasswordCommand: COMMAND",
  tls: "TLS: on|off",
  placement: "Placement: name|content",
  layout: "Layout: pairs|rs:K+M",
  patience: "Patience: 5s",
} as const;
type Keyword = keyof typeof FORMS;

const PORT_MAX = 65_535;

/** The name of the file in the current folder. */
export const HERE = "dfc.conf";

/**
 * Reads the configuration that was named, or the first one found in the usual places. Throws
 * DfsError("config"), also if the file was only found and another user may have written it.
 */
export function loadConfiguration(named: string | undefined): Configuration {
  const chosen = named ?? (process.env.DFS_CONFIG || null);
  const path = chosen ?? foundPath();
  const text = readText(path);
  if (text === null) throw new DfsError("config", `${path}: there is no such configuration file`);
  const isFound = chosen === null && path === HERE && !isHome(".");
  if (isFound) checkFound(path);
  return { ...parseConfiguration(text, path), isFound };
}

function foundPath(): string {
  const places = [HERE, join(homedir(), "dfc.conf")];
  const found = places.find((path) => readText(path) !== null);
  if (found !== undefined) return found;
  throw new DfsError(
    "config",
    "there is no dfc.conf: looked for --config FILE, $DFS_CONFIG, ./dfc.conf and ~/dfc.conf; " +
      'write one with a line "Server NAME HOST:PORT" for each server',
  );
}

/** null if there is no such file. */
function readText(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const why = whyUnreadable(error);
    if (why === null) return null;
    throw new DfsError("config", `${path}: the configuration cannot be read: ${why}`);
  }
}

/**
 * Parses the text of a dfc.conf. A line has a keyword in any case, a colon or a "=" or neither, and
 * its value. A bullet (`*` or `-`) before it is ignored, and so is a comment from a `#` at the
 * start of a word on. Throws DfsError("config") that names `path` and the line.
 */
export function parseConfiguration(text: string, path: string): Configuration {
  const servers: ServerAddress[] = [];
  const once: {
    username?: string;
    password?: string;
    passwordfile?: string;
    passwordcommand?: string;
    tls?: "on" | "off";
    placement?: "name" | "content";
    layout?: Layout;
    patience?: number;
  } = {};
  for (const [i, line] of text
    .replace(/^\uFEFF/, "")
    .split("\n")
    .entries()) {
    const fail = (what: string): never => {
      throw new DfsError("config", `${path}:${i + 1}: ${what}`);
    };
    const [keyword, value] = keywordOf(line, fail) ?? [];
    if (keyword === undefined || value === undefined) continue;
    if (keyword === "server") {
      servers.push(newServer(value, servers, fail));
      continue;
    }
    if (once[keyword] !== undefined) fail(`there is a second "${FORMS[keyword]}" line; leave one`);
    if (keyword === "placement") once.placement = placementOf(value, fail);
    else if (keyword === "layout") once.layout = layoutIn(value, fail);
    else if (keyword === "patience") once.patience = patienceOf(value, fail);
    else if (keyword === "tls") once.tls = switchOf(value, fail);
    else once[keyword] = value || fail(`nothing follows the keyword; write "${FORMS[keyword]}"`);
  }
  if (servers.length === 0) {
    throw new DfsError(
      "config",
      `${path}: it names no server; write a line "${FORMS.server}" for each`,
    );
  }
  const { username = "", placement = "name", layout = PAIRS } = once;
  const password = passwordIn(once, path);
  const fault = username === "" ? null : faultOfUser(username);
  if (fault !== null)
    throw new DfsError("config", `${path}: the Username cannot be that of a user: ${fault}`);
  if (password && username === "")
    throw new DfsError(
      "config",
      `${path}: a password is nothing without a user; write a line "${FORMS.username}"`,
    );
  const isPlain = once.tls === "off";
  const patienceMs = once.patience ?? null;
  const found = { path, isFound: false, servers };
  return { ...found, user: username, password, isPlain, patienceMs, placement, layout };
}

/** The one source of the password; null if none is named. */
function passwordIn(
  once: { password?: string; passwordfile?: string; passwordcommand?: string },
  path: string,
): PasswordSource | null {
  const ways: [PasswordSource["is"], string | undefined][] = [
    ["word", once.password],
    ["file", once.passwordfile],
    ["command", once.passwordcommand],
  ];
  const found = ways.flatMap(([is, text]) => (text === undefined ? [] : [{ is, text }]));
  if (found.length <= 1) return found[0] ?? null;
  throw new DfsError(
    "config",
    `${path}: the password comes from ${found.length} places; leave one`,
  );
}

function switchOf(value: string, fail: Fail): "on" | "off" {
  const word = value.toLowerCase();
  return word === "on" || word === "off" ? word : fail(`write "${FORMS.tls}"`);
}

type Fail = (what: string) => never;

/** The keyword of a line and its value; null for an empty line. */
function keywordOf(line: string, fail: Fail): [Keyword, string] | null {
  const content = line.replace(/(^|\s)#[^]*$/, "").trim();
  const [, word = "", value = ""] = /^(?:[*-]\s*)?([^\s:=]*)\s*[:=]?\s*(.*)$/.exec(content) ?? [];
  if (content === "") return null;
  const keyword = word.toLowerCase();
  if (Object.hasOwn(FORMS, keyword)) return [keyword as Keyword, value];
  const forms = Object.values(FORMS).map((form) => `"${form}"`);
  return fail(
    `${JSON.stringify(word || content)} is no keyword; a line is ${forms.slice(0, -1).join(", ")} or ${forms.at(-1)}`,
  );
}

function placementOf(value: string, fail: Fail): "name" | "content" {
  const word = value.toLowerCase();
  return word === "name" || word === "content"
    ? word
    : fail(
        `${JSON.stringify(value)} is no placement; write "Placement: name" or "Placement: content"`,
      );
}

/** "5s" or "2.5 s" in milliseconds. */
function patienceOf(value: string, fail: Fail): number {
  const ms = Math.round(1000 * Number(/^(\d+(?:\.\d+)?) ?s$/i.exec(value)?.[1]));
  if (ms >= PATIENCE_MS_MIN && ms <= PATIENCE_MS_MAX) return ms;
  return fail(
    `${JSON.stringify(value)} is no patience; write seconds from ${PATIENCE_MS_MIN / 1000} to ${PATIENCE_MS_MAX / 1000}, as in "Patience: 5s"`,
  );
}

function layoutIn(value: string, fail: Fail): Layout {
  try {
    return layoutOf(value.toLowerCase());
  } catch (error) {
    return fail(asDfsError(error).message);
  }
}

function newServer(value: string, others: readonly ServerAddress[], fail: Fail): ServerAddress {
  const [name, where, ...more] = value.split(/\s+/);
  if (!name || !where || more.length > 0)
    return fail(`a server is a name and an address; write "${FORMS.server}"`);
  const server = { name, ...addressOf(name, where, fail) };
  checkLengths(server, fail);
  if (others.some((other) => other.name === name))
    fail(`there is another server ${name}; give each its own name`);
  const twin = others.find(({ host, port }) => host === server.host && port === server.port);
  if (twin) fail(`${where} is the address of ${twin.name} already; give each server its own`);
  if (others.length >= SERVERS_MAX)
    fail(`there are more than ${SERVERS_MAX} servers; leave out some`);
  return server;
}

/** A server as an argument names it. Throws DfsError("usage"). */
export function serverOf(name: string, where: string): ServerAddress {
  const fail = (what: string): never => {
    throw new DfsError("usage", what);
  };
  if (!/^[^\s#]+$/.test(name))
    fail(`${JSON.stringify(name)} is no name of a server: it has no spaces and no #`);
  const server = { name, ...addressOf(name, where, fail) };
  checkLengths(server, fail);
  return server;
}

function checkLengths({ name, host }: ServerAddress, fail: Fail): void {
  for (const text of [name, host])
    if (Buffer.byteLength(text) > HOST_BYTES) fail(`${text} is longer than ${HOST_BYTES} bytes`);
}

/** Is it an IPv6 address? (`isIPv6` of node:net would load streams for each command.) */
const isIPv6 = (text: string): boolean => URL.canParse(`http://[${text.replace(/%.*$/, "")}]`);

/**
 * An IPv6 address that lacks its brackets, as it was probably meant; the last number counts as the
 * port if it can be one.
 */
function bracketed(where: string): string {
  const bare = where.replace(/[[\]]/g, "");
  const [, host = "", port = ""] = /^(.*):(\d+)$/.exec(bare) ?? [];
  if (isIPv6(host) && Number(port) <= PORT_MAX) return `[${host}]:${port}`;
  return isIPv6(bare) ? `[${bare}]:10001` : "[::1]:10001";
}

/** Parses "127.0.0.1:10001", "dfs1.example.org:10001" or "[::1]:10001". */
function addressOf(name: string, where: string, fail: Fail): { host: string; port: number } {
  const [, ipv6, plain, digits] =
    /^(?:\[([0-9a-f:.%]+)\]|([^:[\]/]*))(?::([^:/]*))?$/i.exec(where) ?? [];
  const host = (ipv6 ?? plain)?.toLowerCase();
  const address = JSON.stringify(where);
  if (host === undefined) {
    const isIpv6 = /^[[\]0-9a-f:.%]+$/i.test(where);
    return fail(
      `${address} is no address; write ${isIpv6 ? `"Server ${name} ${bracketed(where)}"` : `"${FORMS.server}"`}`,
    );
  }
  if (host === "")
    fail(`${address} has no host; write "Server ${name} 127.0.0.1:${digits || 10001}"`);
  if (!digits)
    return fail(
      `${address} has no port; write "Server ${name} ${writtenAddress({ host, port: 10001 })}"`,
    );
  const port = Number(digits);
  if (/^\d+$/.test(digits) && port >= 1 && port <= PORT_MAX) return { host, port };
  return fail(
    `${JSON.stringify(digits)} is no port; write a number from 1 to ${PORT_MAX} after ${host}:`,
  );
}
