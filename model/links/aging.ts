/**
 * What a server of the model of content by reference does by itself (docs/consistency.md section 15): what is kept runs out, pieces go
 * where room is short, contents that nothing holds are swept; and what a crash leaves, and a start makes of it. Used by world.ts.
 */
import { type Entry, pieceKey } from "./records.ts";
import type { LinkServer } from "./server.ts";

/** What is kept runs out. */
export function runOut(server: LinkServer): void {
  const { catalog, clock } = server;
  for (const name of catalog.names) {
    const entries = catalog.entries(name);
    const isOver = ({ state, until }: Entry): boolean => state === "kept" && until <= clock;
    let isChanged = false;
    const remove = (those: readonly Entry[]): void => {
      for (const { vid } of those) {
        server.soften();
        entries.delete(vid);
        isChanged = true;
      }
    };
    remove([...entries.values()].filter(isOver));
    // A kept tombstone only tells when what came before it ended.
    const kept = [...entries.values()].filter(({ state }) => state === "kept");
    if (kept.every(({ record }) => record?.version.deleted)) remove(kept);
    if (isChanged) server.release(name);
  }
}

/** Room is short: the pieces of the kept version that is to go first. Returns whether there are any. */
export function dropEarly(server: LinkServer): boolean {
  const { catalog, world } = server;
  const all = catalog.names.flatMap((name) =>
    [...catalog.entries(name).values()]
      .filter(({ state, isBare, list }) => {
        const cids = catalog.cidsOf(name, list);
        return state === "kept" && !isBare && cids?.some((cid) => catalog.held(name).has(cid));
      })
      .map((entry) => ({ name, entry })),
  );
  const first = all.toSorted((a, b) => a.entry.until - b.entry.until)[0];
  if (!first) return false;
  server.soften();
  const { name, entry } = first;
  const entries = catalog.entries(name);
  if (world.broken === "shared stay")
    for (const cid of catalog.cidsOf(name, entry.list) ?? [])
      server.destroy([...(catalog.held(name).get(cid) ?? [])].map((piece) => pieceKey(cid, piece)));
  for (const one of entries.values())
    if (one.list === entry.list && one.state === "kept")
      entries.set(one.vid, { ...one, isBare: true });
  server.release(name);
  if (world.broken === "records stay") entries.delete(entry.vid);
  return true;
}

/** Contents that nothing holds go: their rows first, durably, then their files. `isCut`: it crashes before it unlinks one. */
export function sweep(server: LinkServer, isCut: () => boolean): void {
  const { catalog, files, world } = server;
  const held = new Set<number>();
  for (const name of catalog.names)
    for (const [cid, pieces] of catalog.held(name))
      for (const piece of pieces) held.add(pieceKey(cid, piece));
  const idle = [...catalog.contents].filter((key) => !held.has(key));
  if (idle.length === 0) return;
  if (world.broken === "transaction before unlink") {
    server.soften();
    for (const key of idle) if (!files.delete(key)) catalog.contents.delete(key);
    return;
  }
  for (const key of idle) catalog.contents.delete(key);
  server.durable = null;
  for (const key of idle) if (!isCut()) files.delete(key);
}

export function crash(server: LinkServer): void {
  server.catalog = server.durable ?? server.catalog;
  server.durable = null;
}

/** A start: contents without their files go, files without a content become one that nothing holds. */
export function start(server: LinkServer): void {
  const { catalog, files, world } = server;
  for (const key of catalog.contents) {
    if (files.has(key)) continue;
    catalog.contents.delete(key);
    for (const name of catalog.names)
      catalog
        .held(name)
        .get(Math.floor(key / 8))
        ?.delete(key % 8);
  }
  for (const key of files) if (world.broken !== "recovered files") catalog.contents.add(key);
  for (const name of catalog.names) server.release(name);
  server.durable = null;
}
