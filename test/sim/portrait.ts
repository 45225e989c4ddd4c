/** What every server holds, in lines a person can read; for histories that went wrong. */
import { decode } from "../../src/bytes.ts";
import { type Accepted, type Ballot, registerCodec } from "../../src/version.ts";
import type { SimCluster } from "./cluster.ts";
import { hasTables } from "./installed.ts";

const shortBallot = (ballot: Ballot): string =>
  `${ballot >> 64n}.${(ballot & 0xffffn).toString(16)}`;

const shortValue = (value: Accepted | null): string =>
  value
    ? `${shortBallot(value.ballot)}=${value.version.vid.slice(0, 4)}${contentOf(value.version)}${value.version.deleted ? "x" : ""}@${value.version.seq}`
    : "-";

/** Its content, where that is another version's. */
const contentOf = ({ vid, cid }: Accepted["version"]): string =>
  cid === null || cid === vid ? "" : `(${cid.slice(0, 4)})`;

interface PieceLine {
  readonly cid: string;
  readonly piece: number;
  readonly bad: number;
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
      .query<{ name: string }, []>("SELECT name FROM register UNION SELECT name FROM entry")
      .all();
    for (const { name } of names) {
      const found = database
        .query<{ row: Uint8Array }, [string]>("SELECT row FROM register WHERE name = ?")
        .get(name);
      const row = found && decode(registerCodec, found.row);
      const pieces = database
        .query<PieceLine, [string]>(
          "SELECT lower(hex(cid)) AS cid, piece, bad FROM holding WHERE name = ? ORDER BY cid, piece",
        )
        .all(name)
        .map(({ cid, piece, bad }) => `${cid.slice(0, 4)}.${piece}${bad ? " bad" : ""}`);
      const pending = database
        .query<{ vid: string }, [string]>("SELECT lower(hex(vid)) AS vid FROM entry WHERE name = ?")
        .all(name)
        .map(({ vid }) => vid.slice(0, 4));
      const register = row
        ? `prom ${shortBallot(row.prom)} acc ${shortValue(row.acc)} com ${shortValue(row.com)}`
        : "no row";
      lines.push(
        `  "${name}" ${register}; pieces ${pieces.join(", ") || "none"}; pending ${pending.join(", ") || "none"}`,
      );
    }
  }
  return lines;
}
