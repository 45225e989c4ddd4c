/** What a server holds, read from its catalog: registers, pieces, its floor. */
import type { Database } from "bun:sqlite";
import { decode } from "../../src/bytes.ts";
import { type Ballot, type Register, registerCodec } from "../../src/version.ts";
import { factIn } from "./installed.ts";

interface Line {
  readonly key: string;
  readonly row: Uint8Array;
}

/** Its registers, by "space/name". */
export const rowsIn = (database: Database): [string, Register][] =>
  database
    .query<Line, []>("SELECT space || '/' || name AS key, row FROM register")
    .all()
    .map(({ key, row }) => [key, decode(registerCodec, row)]);

/** The names of its registers. */
export const keysIn = (database: Database): string[] =>
  database
    .query<Pick<Line, "key">, []>("SELECT space || '/' || name AS key FROM register")
    .all()
    .map(({ key }) => key);

/** No ballot up to this one counts for a name without a row. */
export const floorOf = (database: Database): Ballot => {
  const fact = factIn(database, "floor");
  return fact ? BigInt(`0x${fact.toHex()}`) : 0n;
};

/** The good pieces that it holds, "vid.piece". */
export function piecesIn(database: Database): Set<string> {
  const rows = database
    .query<{ id: string }, []>(
      "SELECT vid || '.' || piece AS id FROM piece WHERE bad = 0 AND trashed IS NULL",
    )
    .all();
  return new Set(rows.map(({ id }) => id));
}
