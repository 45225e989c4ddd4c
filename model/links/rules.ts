/**
 * The rules of content by reference that the model can break, each by its name, and what the rule says (docs/consistency.md section 15).
 * Used by all files of this folder, and by the table of checks.
 */

/** What one server does with holdings, contents and files. */
type ServerRule =
  /** What one name lets go, others still hold. */
  | "others hold on"
  | "link durable"
  | "upload durable"
  /** A file is unlinked after the transaction that drops its content, never before. */
  | "transaction before unlink"
  /** A start makes a file without a row a content that nothing holds. */
  | "recovered files"
  /** A pending entry outlasts ACCEPT. */
  | "pending outlasts accept"
  /** DROP takes one name's holding, never the content. */
  | "drop one holding"
  /** UPLOAD adds its content to the pending entry, and takes none away. */
  | "upload adds";

/** What clients do. */
type ClientRule =
  | "links counted"
  /** COLLECT says which known versions share a content with the orphan. */
  | "spare"
  | "listed after the fence"
  | "kept is no orphan"
  /** Repair counts the holdings of the name that it repairs. */
  | "repair counts holdings"
  | "move deletes what it copied"
  | "move is certain";

/** History. */
type HistoryRule =
  | "W hold what is built on"
  /** The history names the contents of each ancestor. */
  | "contents in history"
  | "each its own keep"
  | "longest keep"
  /** COMMIT deals only with what is newer than the version committed before. */
  | "ancestors once"
  /** A missed ancestor, without a record here, keeps its contents all the same. */
  | "missed ancestors"
  /** A kept record knows when it was replaced. */
  | "replaced"
  /** Where room is short pieces go, records stay. */
  | "records stay"
  /** ... and only pieces that no current version has. */
  | "shared stay"
  | "marks"
  /** A KEEP from before an expunge is refused. */
  | "counted expunges"
  /** A server that is behind takes no KEEP and no EXPUNGE. */
  | "not behind"
  | "forget leaves kept"
  | "put times rise"
  | "put times rise across lives"
  | "order by birth"
  /** A restore has an entry of its own. */
  | "restore holds";

/** Lists of contents. */
type ListRule =
  /** While a list is not known that a name has here, nothing of the name is let go. */
  | "unknown lists hold all"
  /** DROP is refused meanwhile. */
  | "drop knows the lists"
  /** The list is in the transaction of the promise that counts its contents. */
  | "lists ride with promises"
  /** W hold what is built on with its list. */
  | "W hold the list"
  /** A missed ancestor whose list is not known gets an entry too. */
  | "missed lists"
  /** What is let go goes by contents, not by ids of lists. */
  | "release by content"
  /** Spare goes by contents, not by ids of lists. */
  | "spare by content"
  /** Only what the parent has needs no copies among the promises. */
  | "only the parent's inherited"
  | "repair brings lists";

export type LinkRule = ServerRule | ClientRule | HistoryRule | ListRule;
