/**
 * The notices to the operator about damage that a store finds. They contain no names of files. Used
 * by the store, and by the server for its own troubles.
 */
import type { Notice } from "../../io/ports.ts";
import type { Cid } from "../../version.ts";

export const pieceDamaged = (cid: Cid, piece: number): Notice => ({
  level: "warning",
  event: "piece-damaged",
  line: `piece ${piece + 1} of content ${cid} is damaged on this disk: dfs-tool repair makes it anew`,
  facts: { content: cid, piece: piece + 1 },
});

export const recordDamaged: Notice = {
  level: "warning",
  event: "record-damaged",
  line: "the record of a name is damaged in this catalog: dfs-tool status says what to do",
};

/** Something that the server does by itself went wrong, or was put right. */
export const trouble = (event: string, line: string): Notice => ({ level: "warning", event, line });
