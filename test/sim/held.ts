/** What a server holds, read from its catalog: registers and pieces. */
import type { Database } from "bun:sqlite";
import { decode } from "../../src/bytes.ts";
import { type Register, registerCodec } from "../../src/version.ts";

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

/** The good pieces that its names hold, "space/name|cid.piece"; those that are not here do not count. */
export function piecesIn(database: Database): Set<string> {
  const rows = database
    .query<{ id: string }, []>(
      `SELECT holding.space || '/' || name || '|' || lower(hex(cid)) || '.' || piece AS id
       FROM holding JOIN content USING (cid, piece) WHERE content.bad = 0 AND holding.bad = 0`,
    )
    .all();
  return new Set(rows.map(({ id }) => id));
}

/** What names hold, and is not here, "name|cid.piece". */
export const unfoundedIn = (database: Database): string[] =>
  database
    .query<{ id: string }, []>(
      `SELECT name || '|' || lower(hex(cid)) || '.' || piece AS id FROM holding WHERE NOT EXISTS
       (SELECT 1 FROM content WHERE content.cid = holding.cid AND content.piece = holding.piece)`,
    )
    .all()
    .map(({ id }) => id);
