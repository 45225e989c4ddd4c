/** Changes of a dfc.conf by this program: lines of servers; all else in it stays as it is. */
import { readFileSync } from "node:fs";
import { realpath } from "node:fs/promises";
import type { Cluster } from "../../client/connect/cluster.ts";
import { addressText } from "../../client/connect/greeter.ts";
import { type ServerAddress, writtenAddress } from "../../membership.ts";
import { parseConfiguration } from "./config.ts";
import { replaceFile } from "../../server/users/edit_users.ts";

/** A line of a server: what comes before its name, the name, and what comes before its address. */
const SERVER = /^(\s*(?:[*-]\s*)?server(?::\s*|\s+))(\S+)(\s+)\S+/i;

/** The line that names a server. */
export const serverLine = (server: ServerAddress): string =>
  `Server ${server.name} ${writtenAddress(server)}`;

/** In whose place such a line is, where these servers of a dfc.conf have one of the same name. */
export function insteadIn({ name }: ServerAddress, servers: readonly ServerAddress[]): string {
  const other = servers.find((server) => server.name === name);
  return other ? ` # in place of ${writtenAddress(other)}` : "";
}

/** The members that are at none of these addresses. */
export function missingIn(cluster: Cluster, servers: readonly ServerAddress[]): ServerAddress[] {
  const { config, listed } = cluster.view;
  const known = new Set(servers.map(addressText));
  return listed.flatMap((slot) => {
    const seat = config.seats[slot];
    const at = cluster.peer(slot)?.address ?? seat;
    return seat && at && !known.has(addressText(at)) && !known.has(addressText(seat))
      ? [{ ...seat, name: cluster.labelOf(slot) }]
      : [];
  });
}

/**
 * The text of a dfc.conf with these servers in it: one that it names already gets another address, others follow the last of its lines
 * of servers. Throws DfsError("config") where that would be none to go by.
 */
export function withServers(text: string, servers: readonly ServerAddress[], path: string): string {
  let lines = text.split("\n");
  const nameIn = (line: string): string | undefined =>
    SERVER.exec(line.replace(/^\uFEFF/, ""))?.[2];
  for (const server of servers) {
    const line = serverLine(server);
    const at = lines.findIndex((one) => nameIn(one) === server.name);
    const last = lines.findLastIndex((one) => nameIn(one) !== undefined);
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

/** Writes these servers into the file; throws DfsError("config", "failed"). */
export async function writeServers(path: string, servers: readonly ServerAddress[]): Promise<void> {
  const target = await realpath(path);
  await replaceFile(target, withServers(readFileSync(target, "utf8"), servers, path));
}
