/** What every server holds, in lines a person can read; for histories that went wrong. */
import { decode } from "../../src/bytes.ts";
import { type Accepted, type Ballot, registerCodec } from "../../src/version.ts";
import type { SimCluster } from "./cluster.ts";
import { hasTables } from "./installed.ts";

const shortBallot = (ballot: Ballot): string =>
  `${ballot >> 64n}.${(ballot & 0xffffn).toString(16)}`;

const shortValue = (value: Accepted | null): string =>
  value
    ? `${shortBallot(value.ballot)}=${value.version.vid.slice(0, 4)}${value.version.deleted ? "x" : ""}@${value.version.seq}`
    : "-";

interface PieceLine {
  readonly vid: string;
  readonly piece: number;
  readonly bad: number;
  readonly trashed: number | null;
}

/** A few lines a server. */
export function portrait(cluster: SimCluster): string[] {
  const lines: string[] = [];
  for (const server of cluster.servers) {
    const database = server.disk.openDatabase(server.catalog);
    if (!database || !hasTables(database)) {
      lines.push(`${server.name}: ${server.refused ?? "down"}`);
      continue;
    }
    lines.push(`${server.name}:`);
    const names = database
      .query<{ name: string }, []>("SELECT name FROM register UNION SELECT name FROM piece")
      .all();
    for (const { name } of names) {
      const found = database
        .query<{ row: Uint8Array }, [string]>("SELECT row FROM register WHERE name = ?")
        .get(name);
      const row = found && decode(registerCodec, found.row);
      const pieces = database
        .query<PieceLine, [string]>(
          "SELECT vid, piece, bad, trashed FROM piece WHERE name = ? ORDER BY vid, piece",
        )
        .all(name)
        .map(
          ({ vid, piece, bad, trashed }) =>
            `${vid.slice(0, 4)}.${piece}${bad ? " bad" : ""}${trashed ? " trash" : ""}`,
        );
      const register = row
        ? `prom ${shortBallot(row.prom)} acc ${shortValue(row.acc)} com ${shortValue(row.com)}`
        : "no row";
      lines.push(`  "${name}" ${register}; pieces ${pieces.join(", ") || "none"}`);
    }
  }
  return lines;
}
