/** What a store finds damaged, as it is told to who runs the server: without the names of files. */
import type { Told } from "../../io/ports.ts";
import type { Vid } from "../../version.ts";

export const pieceDamaged = (vid: Vid, piece: number): Told => ({
  level: "warning",
  event: "piece-damaged",
  line: `piece ${piece + 1} of version ${vid} is damaged on this disk: dfs-tool repair makes it anew`,
  facts: { version: vid, piece: piece + 1 },
});

export const recordDamaged: Told = {
  level: "warning",
  event: "record-damaged",
  line: "the record of a name is damaged in this catalog: dfs-tool status says what to do",
};

/** Something that the server does by itself went wrong, or was put right. */
export const trouble = (event: string, line: string): Told => ({ level: "warning", event, line });
