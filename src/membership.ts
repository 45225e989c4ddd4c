/**
 * Which servers make a cluster, and how that changes: its configuration, a value of the register of the reserved name ""
 * (docs/consistency.md section 4, membership). Pure values, shared by wire, store, server and client.
 */
import {
  type Codec,
  hex,
  list,
  optional,
  struct,
  text,
  u16,
  u32,
  u53,
  u8,
  type Value,
} from "./bytes.ts";
import { assert, DfsError } from "./errors.ts";
import { HOST_BYTES, SERVERS_MAX, SLOTS_MAX, WEIGHT_MAX } from "./limits.ts";

export const CONFIG_FORMAT = 4;
/** In the format of before no server has a weight. */
const UNWEIGHED_FORMAT = 3;
/** The one before that does not tell of which founding it is either, and seats without a server decide in it. */
const OLD_FORMAT = 2;

/** Ids of servers and clusters: sixteen bytes in hexadecimal digits. */
export const idCodec = hex(16);

/** The birth of a cluster that was founded before there were any. */
export const NO_BIRTH = "0".repeat(32);

const seatFields = {
  /** null: no server was seen there yet. */
  sid: optional(idCodec),
  /** What people call it, and where it was last known to be. */
  name: text(HOST_BYTES),
  host: text(HOST_BYTES),
  port: u16,
  /** The slot of the server that took its place. */
  heir: optional(u8),
};
/** A place for one server. Its number, the slot, is for ever: versions name their servers by it. */
const seatCodec = struct({
  ...seatFields,
  /** How large its disk is beside the largest one, which is WEIGHT_MAX. */
  weight: u16,
});
export type Seat = Value<typeof seatCodec>;

const unweighed = struct(seatFields);
/** As a seat lies in the formats of before: all weigh the same. */
const unweighedCodec: Codec<Seat> = {
  write: (w, seat) => unweighed.write(w, seat),
  read: (r) => ({ ...unweighed.read(r), weight: WEIGHT_MAX }),
};

/** Where a server is, as a configuration says. */
export type ServerAddress = Pick<Seat, "name" | "host" | "port">;

/** An address as people read it, and as dfc.conf has it: IPv6 in brackets. */
export const writtenAddress = ({ host, port }: Pick<ServerAddress, "host" | "port">): string =>
  host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;

const head = struct({ format: u8 });
const fieldsWith = (seat: Codec<Seat>) => ({
  /** One more than before with each change. */
  epoch: u32,
  seats: list(seat, SLOTS_MAX),
  /** The slots whose servers decide. */
  voters: list(u8, SERVERS_MAX),
  /** While it changes who decides: the slots after that. Until then each decision takes a quorum of both. */
  next: optional(list(u8, SERVERS_MAX)),
  /** Slots that decide and hold no pieces any more, or soon none. */
  leaving: list(u8, SERVERS_MAX),
});
const laterFields = {
  /** Which founding this is of, at random: two of one list of servers never mix. */
  birth: idCodec,
  /** Slots that are kept for servers that were never seen: they have a place for pieces, and decide nothing. */
  awaited: list(u8, SERVERS_MAX),
};
const oldConfig = struct(fieldsWith(unweighedCodec));
const unweighedConfig = struct({ ...fieldsWith(unweighedCodec), ...laterFields });
const newConfig = struct({
  ...fieldsWith(seatCodec),
  ...laterFields,
  /** The bytes that WEIGHT_MAX stands for: what pieces may take of the largest disk; 0: no server has told of its own. */
  largest: u53,
});
export type Config = Value<typeof head> & Value<typeof newConfig>;

/** Throws DfsError("protocol") on a configuration that contradicts itself, or of a format that is not known. */
export const configCodec: Codec<Config> = {
  write(w, config) {
    head.write(w, config);
    if (config.format === OLD_FORMAT) oldConfig.write(w, config);
    else if (config.format === UNWEIGHED_FORMAT) unweighedConfig.write(w, config);
    else newConfig.write(w, config);
  },
  read(r) {
    const { format } = head.read(r);
    const config: Config = { format, ...(FIELDS_OF[format]?.(r) ?? unknown(format)) };
    if (!isSound(config)) throw new DfsError("protocol", "a configuration contradicts itself");
    return config;
  },
};

/** What follows the number of each format. */
const FIELDS_OF: Readonly<Record<number, Codec<Value<typeof newConfig>>["read"]>> = {
  [OLD_FORMAT]: (r) => ({ ...oldConfig.read(r), birth: NO_BIRTH, awaited: [], largest: 0 }),
  [UNWEIGHED_FORMAT]: (r) => ({ ...unweighedConfig.read(r), largest: 0 }),
  [CONFIG_FORMAT]: (r) => newConfig.read(r),
};

function unknown(format: number): never {
  const what = format > CONFIG_FORMAT ? ": a newer dfs-tool made it, and it takes one as new" : "";
  throw new DfsError("protocol", `a configuration of format ${format} does not read${what}`);
}

/** Can this be? What is not may never be chosen: no server would go by it, and none could come after it. */
export function isSound(config: Config): boolean {
  const { seats, voters, next, leaving, awaited } = config;
  const members = [...voters, ...(next ?? [])];
  const heirs = seats.flatMap(({ heir }) => (heir === null ? [] : [heir]));
  const sids = seats.flatMap(({ sid }) => (sid === null ? [] : [sid]));
  return (
    (next ?? voters).some((slot) => !leaving.includes(slot)) &&
    voters.length > 0 &&
    leaving.every((slot) => members.includes(slot)) &&
    new Set(sids).size === sids.length &&
    [...members, ...heirs].every((slot) => slot < seats.length) &&
    [voters, next ?? [], leaving, awaited].every((some) => new Set(some).size === some.length) &&
    seats.every(({ heir }, slot) => heir === null || heir > slot) &&
    awaited.every((slot) => seats[slot]?.sid === null && !(next ?? voters).includes(slot)) &&
    (config.format === OLD_FORMAT ||
      (next ?? voters).every((slot) => typeof seats[slot]?.sid === "string")) &&
    seats.every(({ weight }) => weight > 0) &&
    (config.format === CONFIG_FORMAT || seats.every(({ weight }) => weight === WEIGHT_MAX))
  );
}

/**
 * A change, in the format of today. In the oldest one seats without a server decide: with a change of who decides they do so no longer,
 * and are awaited; until then a configuration of it stays what it is.
 */
export function renewed(config: Config): Config {
  const { format, seats, next, awaited } = config;
  if (format === CONFIG_FORMAT || (format === OLD_FORMAT && next === null)) return config;
  const isVacant = (slot: number): boolean => seats[slot]?.sid === null;
  return {
    ...config,
    format: CONFIG_FORMAT,
    next: next?.filter((slot) => !isVacant(slot)) ?? null,
    awaited: [...awaited, ...(next ?? []).filter(isVacant)],
  };
}

/**
 * These servers, by slot, weigh what their disks take of what the largest does that there was; one that does not tell (null) weighs like
 * that. Where one takes more, it is the largest from now on, and all others weigh less.
 */
export function weighed(config: Config, disks: ReadonlyMap<number, number | null>): Config {
  const largest = Math.max(config.largest, ...[...disks.values()].map((bytes) => bytes ?? 0));
  const partOf = (bytes: number): number =>
    Math.min(WEIGHT_MAX, Math.max(1, Math.round((bytes / largest) * WEIGHT_MAX)));
  const seats = config.seats.map((seat, slot) => {
    const bytes = disks.get(slot);
    if (bytes !== undefined)
      return { ...seat, weight: bytes === null || largest === 0 ? WEIGHT_MAX : partOf(bytes) };
    // Of whom nothing was ever told, it is not known that they are smaller.
    if (config.largest === 0) return seat;
    return { ...seat, weight: partOf((seat.weight / WEIGHT_MAX) * config.largest) };
  });
  return { ...config, seats, largest };
}

/** How large the disk of the server in a slot is beside others. */
export const weightOf = ({ seats }: Config, slot: number): number =>
  seats[slot]?.weight ?? WEIGHT_MAX;

/** A change that gives seats which were kept to servers that have come, by slot. */
export function seated(
  config: Config,
  servers: ReadonlyMap<number, Pick<Seat, "sid" | "host" | "port">>,
): Config {
  const seats = config.seats.map((seat, slot) => {
    const { sid, host, port } = servers.get(slot) ?? seat;
    return { ...seat, sid, host, port };
  });
  const next = [...new Set([...config.voters, ...servers.keys()])];
  const awaited = config.awaited.filter((slot) => !servers.has(slot));
  return renewed({ ...config, seats, next, awaited });
}

/** What requests call the cluster: its birth; where it has none, or before it is founded, what the first client made of its list. */
export const requestIdOf = ({ epoch, birth }: Config, founding: string): string =>
  epoch === 0 || birth === NO_BIRTH ? founding : birth;

/** These slots, each once; an heir has the place in the order that it took. */
const sorted = (config: Config, slots: readonly number[]): number[] =>
  [...new Set(slots)]
    .toSorted((a, b) => a - b)
    .toSorted((a, b) => founderOf(config, a) - founderOf(config, b));

/** The slots of all servers that are asked: those that decide, and while that changes those that will. */
export const membersOf = (config: Config): number[] =>
  sorted(config, [...config.voters, ...(config.next ?? [])]);

/** The slots of the servers that hold pieces, or are about to; those that are kept for a server too. */
export function placesOf(config: Config): number[] {
  const { voters, next, leaving, awaited } = config;
  return sorted(
    config,
    [...(next ?? voters), ...awaited].filter((slot) => !leaving.includes(slot)),
  );
}

/** The slots that are kept for servers that were never seen. */
export const vacantIn = (config: Config): number[] =>
  sorted(config, [...config.voters, ...config.awaited]).filter(
    (slot) => config.seats[slot]?.sid === null,
  );

/** The slots of all servers that people know of: those that are asked, and those that are awaited. */
export const listedIn = (config: Config): number[] =>
  sorted(config, [...membersOf(config), ...config.awaited]);

/** The slot of a server; -1 where it has none. */
export const slotOf = ({ seats }: Config, sid: string): number =>
  seats.findIndex((seat) => seat.sid === sid);

/** The slot of the first of those whose place a server took; its own where it took nobody's. */
export function founderOf({ seats }: Pick<Config, "seats">, slot: number): number {
  const before = seats.findIndex(({ heir }) => heir === slot);
  return before < 0 ? slot : founderOf({ seats }, before);
}

/** Did this server take the place of a slot's, or is it about to? Its own it may have taken from another. */
export function hasPlaceOf(config: Config, slot: number, sid: string): boolean {
  const known = slotOf(config, sid);
  if (known < 0) return false;
  return known === slot ? founderOf(config, slot) !== slot : config.seats[slot]?.heir === known;
}

/** The slot of the server that stands in a slot's place now: itself, or the last of its heirs. */
export function heirOf({ seats }: Config, slot: number): number {
  let at = slot;
  for (let heir = seats[at]?.heir; heir !== null && heir !== undefined; heir = seats[at]?.heir) {
    assert(heir > at, "an heir comes later");
    at = heir;
  }
  return at;
}
