/** What an SQL statement does to the transaction it is in, told from its first word. */

export type SqlKind = "read" | "write" | "schema" | "commit" | "rollback" | "pragma" | "script";

const KINDS: Readonly<Record<string, SqlKind>> = {
  SELECT: "read",
  EXPLAIN: "read",
  PRAGMA: "pragma",
  COMMIT: "commit",
  END: "commit",
  ROLLBACK: "rollback",
  CREATE: "schema",
  DROP: "schema",
  ALTER: "schema",
  VACUUM: "schema",
};

const kinds = new Map<string, SqlKind>();

/** What this is; of several statements in one text: a script. */
export function kindOf(sql: string): SqlKind {
  let kind = kinds.get(sql);
  if (kind === undefined) {
    const word = /^\s*(\w+)/.exec(sql)?.[1]?.toUpperCase() ?? "";
    kind = /;\s*[^\s;]/.test(sql) ? "script" : (KINDS[word] ?? "write");
    kinds.set(sql, kind);
  }
  return kind;
}
