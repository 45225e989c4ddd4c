/**
 * Edits the lines of servers in a dfc.conf; everything else in it stays as it is. Used by the
 * commands server and init.
 */
import { readFileSync } from "node:fs";
import { realpath } from "node:fs/promises";
import type { Cluster } from "../../client/connect/cluster.ts";
import { addressText } from "../../client/connect/greeter.ts";
import { type ServerAddress, writtenAddress } from "../../membership.ts";
import { parseConfiguration } from "../../api/config/config.ts";
import { replaceFile } from "../../server/users/edit_users.ts";

/** A line of a server: the text before the name, the name, and the text before the address. */
const SERVER = /^(\s*(?:[*-]\s*)?server(?::\s*|\s+))(\S+)(\s+)\S+/i;

/** The line that names a server. */
export const serverLine = (server: ServerAddress): string =>
  `Server ${server.name} ${writtenAddress(server)}`;

/**
 * A comment for such a line, if these servers of a dfc.conf include one of the same name: which
 * address it replaces.
 */
export function insteadIn({ name }: ServerAddress, servers: readonly ServerAddress[]): string {
  const other = servers.find((server) => server.name === name);
  return other ? ` # in place of ${writtenAddress(other)}` : "";
}

/** The members whose address is none of these. */
export function missingIn(cluster: Cluster, servers: readonly ServerAddress[]): ServerAddress[] {
  const { config, listed } = cluster.view;
  const known = new Set(servers.map(addressText));
  return listed.flatMap((slot) => {
    const seat = config.seats[slot];
    const address = cluster.peer(slot)?.address ?? seat;
    return seat && address && !known.has(addressText(address)) && !known.has(addressText(seat))
      ? [{ ...seat, name: cluster.labelOf(slot) }]
      : [];
  });
}

/**
 * The text of a dfc.conf with these servers in it. A server with a known name gets the new address;
 * others follow the last line of a server. Throws DfsError("config") if the result would be no
 * valid configuration.
 */
export function withServers(text: string, servers: readonly ServerAddress[], path: string): string {
  let lines = text.split("\n");
  const nameIn = (line: string): string | undefined =>
    SERVER.exec(line.replace(/^\uFEFF/, ""))?.[2];
  for (const server of servers) {
    const line = serverLine(server);
    const at = lines.findIndex((other) => nameIn(other) === server.name);
    const last = lines.findLastIndex((other) => nameIn(other) !== undefined);
    const address = line.slice(line.lastIndexOf(" ") + 1);
    lines =
      at < 0
        ? lines.toSpliced(last + 1, 0, line)
        : lines.with(at, (lines[at] ?? "").replace(SERVER, `$1$2$3${address}`));
  }
  const edited = lines.join("\n");
  parseConfiguration(edited, path);
  return edited;
}

/** Writes these servers into the file. Throws DfsError("config", "failed"). */
export async function writeServers(path: string, servers: readonly ServerAddress[]): Promise<void> {
  const target = await realpath(path);
  await replaceFile(target, withServers(readFileSync(target, "utf8"), servers, path));
}
