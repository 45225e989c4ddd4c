/**
 * What one server of the model of content by reference does with older versions when a client says so: KEEP, EXPUNGE and FORGET
 * (docs/consistency.md section 15). Used by server.ts.
 */
import type { Catalog } from "./catalog.ts";
import type { Accepted, Entry, Link, Of } from "./records.ts";

/** The server, as far as this goes. */
interface Keeper {
  readonly catalog: Catalog;
  readonly clock: number;
  release(name: string): void;
  link(name: string, vid: number, link: Link): boolean;
}

const MARK: Omit<Entry, "vid"> = {
  state: "expunged",
  list: 0,
  cids: [],
  record: null,
  until: Infinity,
  replaced: 0,
  isCertain: false,
  isBare: false,
};

type Time = Pick<Entry, "until" | "replaced" | "isCertain">;

const keptEntry = (record: Accepted, time: Time): Entry => ({
  ...MARK,
  ...time,
  vid: record.version.vid,
  state: "kept",
  list: record.version.list,
  record,
});

/** Does the register here have this version? */
function isInRegister(catalog: Catalog, name: string, vid: number): boolean {
  const { acc, com } = catalog.register(name);
  return acc?.version.vid === vid || com?.version.vid === vid;
}

/** What is not known here yet may have the same contents. */
function isBehind(catalog: Catalog, name: string, current: number): boolean {
  const ballot = catalog.register(name).com?.ballot ?? catalog.floor;
  return ballot < current && catalog.broken !== "not behind";
}

/** A record that this server missed. */
export function keep(server: Keeper, request: Of<"keep">): boolean {
  const { catalog, clock } = server;
  const { name, record, cids, left, replaced, isCertain } = request;
  const { vid, list } = record.version;
  const entries = catalog.entries(name);
  const old = entries.get(vid);
  if (isBehind(catalog, name, request.current) || old?.state === "expunged") return false;
  const isLate = (catalog.expunges.get(name) ?? 0) !== request.expunges;
  if (isLate && catalog.broken !== "counted expunges") return false;
  if (isInRegister(catalog, name, vid)) return true;
  if (old?.state === "kept") {
    const isNews = isCertain && !old.isCertain;
    const news = isNews ? { isCertain, replaced } : {};
    entries.set(vid, { ...old, ...news, record: old.record ?? record });
  } else entries.set(vid, keptEntry(record, { until: clock + left, replaced, isCertain }));
  if (cids) server.link(name, vid, { list, cids });
  return true;
}

export function expunge(server: Keeper, request: Of<"expunge">): boolean {
  const { catalog } = server;
  const { name, vid, current } = request;
  if (isInRegister(catalog, name, vid) || isBehind(catalog, name, current)) return false;
  const entries = catalog.entries(name);
  catalog.expunges.set(name, (catalog.expunges.get(name) ?? 0) + 1);
  entries.delete(vid);
  if (catalog.broken !== "marks") entries.set(vid, { ...MARK, vid });
  server.release(name);
  return true;
}

/** A tombstone that all hold goes; it becomes kept while anything of the name is kept here. */
export function forget(server: Keeper, { name, ballot }: Of<"forget">): boolean {
  const { catalog } = server;
  const { acc, com, prom } = catalog.register(name);
  if (acc === null && com === null) return true;
  if (acc?.ballot !== ballot || com?.ballot !== ballot || !com.version.deleted) return false;
  const entries = catalog.entries(name);
  if (catalog.broken === "forget leaves kept") entries.clear();
  const kept = [...entries.values()].filter(({ state }) => state === "kept");
  if (kept.length > 0 && !entries.has(com.version.vid)) {
    const until = Math.max(...kept.map((entry) => entry.until));
    entries.set(com.version.vid, keptEntry(com, { until, replaced: Infinity, isCertain: false }));
  }
  catalog.floor = Math.max(catalog.floor, prom);
  catalog.registers.delete(name);
  server.release(name);
  return true;
}
