/**
 * The configuration of a cluster: which servers make it, and how that changes. It is a value of the
 * register of the reserved name "" (docs/consistency.md section 4, membership). Pure values, shared
 * by wire, store, server and client.
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
/** The format before has no weights. */
const UNWEIGHED_FORMAT = 3;
/** The format before that has no birth either, and seats without a server vote in it. */
const OLD_FORMAT = 2;

/** Ids of servers and clusters: sixteen bytes in hexadecimal digits. */
export const idCodec = hex(16);

/** The birth of a cluster that was founded before clusters had one. */
export const NO_BIRTH = "0".repeat(32);

const seatFields = {
  /** null: no server has been seen there yet. */
  sid: optional(idCodec),
  /** What people call the server, and its last known address. */
  name: text(HOST_BYTES),
  host: text(HOST_BYTES),
  port: u16,
  /** The slot of the server that took its place; null where none did. */
  heir: optional(u8),
};
/**
 * A place for one server. Its number, the slot, never changes: versions name their servers by it.
 */
const seatCodec = struct({
  ...seatFields,
  /** How large its disk is in proportion to the largest disk, which has WEIGHT_MAX. */
  weight: u16,
});
export type Seat = Value<typeof seatCodec>;

const unweighed = struct(seatFields);
/** A seat in the formats before: all seats weigh the same. */
const unweighedCodec: Codec<Seat> = {
  write: (w, seat) => unweighed.write(w, seat),
  read: (r) => ({ ...unweighed.read(r), weight: WEIGHT_MAX }),
};

/** The address of a server, as a configuration has it. */
export type ServerAddress = Pick<Seat, "name" | "host" | "port">;

/** An address as people read it, and as dfc.conf has it. IPv6 is in brackets. */
export const writtenAddress = ({ host, port }: Pick<ServerAddress, "host" | "port">): string =>
  host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;

const head = struct({ format: u8 });
const fieldsWith = (seat: Codec<Seat>) => ({
  /** It is raised by one with each change. */
  epoch: u32,
  seats: list(seat, SLOTS_MAX),
  /** The slots of the servers that vote. */
  voters: list(u8, SERVERS_MAX),
  /**
   * While the voters change: the slots of the voters after the change. Until then each decision
   * takes a quorum of both. null: the voters do not change.
   */
  next: optional(list(u8, SERVERS_MAX)),
  /** Voters that get no new pieces. They hold no pieces, or will soon hold none. */
  leaving: list(u8, SERVERS_MAX),
});
const laterFields = {
  /** A random id of the founding. So two foundings from one list of servers never mix. */
  birth: idCodec,
  /**
   * Slots that are kept for servers that were never seen. They have a place for pieces, and no
   * vote.
   */
  awaited: list(u8, SERVERS_MAX),
};
const oldConfig = struct(fieldsWith(unweighedCodec));
const unweighedConfig = struct({ ...fieldsWith(unweighedCodec), ...laterFields });
const newConfig = struct({
  ...fieldsWith(seatCodec),
  ...laterFields,
  /**
   * The bytes that WEIGHT_MAX stands for: how much pieces may take of the largest disk. 0: no
   * server has told its size.
   */
  largest: u53,
});
export type Config = Value<typeof head> & Value<typeof newConfig>;

/**
 * Throws DfsError("protocol") on a configuration that contradicts itself, or that is of an unknown
 * format.
 */
export const configCodec: Codec<Config> = {
  write(w, config) {
    head.write(w, config);
    if (config.format === OLD_FORMAT) oldConfig.write(w, config);
    else if (config.format === UNWEIGHED_FORMAT) unweighedConfig.write(w, config);
    else newConfig.write(w, config);
  },
  read(r) {
    const { format } = head.read(r);
    const config: Config = { format, ...(FIELDS_OF[format]?.(r) ?? unknownFormat(format)) };
    if (!isSound(config)) throw new DfsError("protocol", "a configuration contradicts itself");
    return config;
  },
};

/** How to read the fields after the format number, for each format. */
const FIELDS_OF: Readonly<Record<number, Codec<Value<typeof newConfig>>["read"]>> = {
  [OLD_FORMAT]: (r) => ({ ...oldConfig.read(r), birth: NO_BIRTH, awaited: [], largest: 0 }),
  [UNWEIGHED_FORMAT]: (r) => ({ ...unweighedConfig.read(r), largest: 0 }),
  [CONFIG_FORMAT]: (r) => newConfig.read(r),
};

function unknownFormat(format: number): never {
  const what = format > CONFIG_FORMAT ? ": a newer dfs-tool made it, and it takes one as new" : "";
  throw new DfsError("protocol", `a configuration of format ${format} does not read${what}`);
}

/**
 * Is the configuration free of contradictions? One that is not must never be chosen: no server
 * would accept it, and no other could follow it.
 */
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
 * A changed configuration in the current format. In the oldest format seats without a server vote.
 * A change of the voters takes these votes away, and the seats become awaited. Until such a change
 * a configuration of the oldest format keeps its format.
 */
export function renewFormat(config: Config): Config {
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
 * The configuration with new weights for these servers. `disks` has the bytes of each one's disk,
 * by slot. A server's weight is its disk in proportion to the largest disk so far; a server that
 * does not tell (null) gets the full weight. A larger disk becomes the new largest one, and all
 * others then weigh less.
 */
export function withWeights(config: Config, disks: ReadonlyMap<number, number | null>): Config {
  const largest = Math.max(config.largest, ...[...disks.values()].map((bytes) => bytes ?? 0));
  const partOf = (bytes: number): number =>
    Math.min(WEIGHT_MAX, Math.max(1, Math.round((bytes / largest) * WEIGHT_MAX)));
  const seats = config.seats.map((seat, slot) => {
    const bytes = disks.get(slot);
    if (bytes !== undefined)
      return { ...seat, weight: bytes === null || largest === 0 ? WEIGHT_MAX : partOf(bytes) };
    // No server has ever told its size, so the others are not known to be smaller.
    if (config.largest === 0) return seat;
    return { ...seat, weight: partOf((seat.weight / WEIGHT_MAX) * config.largest) };
  });
  return { ...config, seats, largest };
}

/** The weight of the server in a slot. */
export const weightOf = ({ seats }: Config, slot: number): number =>
  seats[slot]?.weight ?? WEIGHT_MAX;

/**
 * A changed configuration in which servers that have come, by slot, take the seats that were kept
 * for them.
 */
export function takeSeats(
  config: Config,
  servers: ReadonlyMap<number, Pick<Seat, "sid" | "host" | "port">>,
): Config {
  const seats = config.seats.map((seat, slot) => {
    const { sid, host, port } = servers.get(slot) ?? seat;
    return { ...seat, sid, host, port };
  });
  const next = [...new Set([...config.voters, ...servers.keys()])];
  const awaited = config.awaited.filter((slot) => !servers.has(slot));
  // rule: join-by-joint-epoch
  return renewFormat({ ...config, seats, next, awaited });
}

/**
 * The id of the cluster in requests: its birth. A cluster that is not founded yet, or has no birth,
 * goes by `founding`: the id that the first client made of its list of servers.
 */
export const requestIdOf = ({ epoch, birth }: Config, founding: string): string =>
  epoch === 0 || birth === NO_BIRTH ? founding : birth;

/** These slots in order, each once. An heir comes where the server that it replaced would come. */
const inOrder = (config: Config, slots: readonly number[]): number[] =>
  [...new Set(slots)]
    .toSorted((a, b) => a - b)
    .toSorted((a, b) => founderOf(config, a) - founderOf(config, b));

/**
 * The slots of all servers that are asked: the voters, and while they change also the next voters.
 */
export const membersOf = (config: Config): number[] =>
  inOrder(config, [...config.voters, ...(config.next ?? [])]);

/** The slots of the servers that hold pieces, or soon will; also those of awaited servers. */
export function placesOf(config: Config): number[] {
  const { voters, next, leaving, awaited } = config;
  return inOrder(
    config,
    [...(next ?? voters), ...awaited].filter((slot) => !leaving.includes(slot)),
  );
}

/** The slots without a server: nobody has been seen there yet. */
export const vacantIn = (config: Config): number[] =>
  inOrder(config, [...config.voters, ...config.awaited]).filter(
    (slot) => config.seats[slot]?.sid === null,
  );

/** The slots of all servers that people know of: the members and the awaited servers. */
export const listedIn = (config: Config): number[] =>
  inOrder(config, [...membersOf(config), ...config.awaited]);

/** The slot of a server; -1 where it has none. */
export const slotOf = ({ seats }: Config, sid: string): number =>
  seats.findIndex((seat) => seat.sid === sid);

/**
 * The first slot in the line of heirs that ends at this slot; the slot itself where it is no heir.
 */
export function founderOf({ seats }: Pick<Config, "seats">, slot: number): number {
  const before = seats.findIndex(({ heir }) => heir === slot);
  return before < 0 ? slot : founderOf({ seats }, before);
}

/**
 * Did this server take the place of the server in `slot`, or is it about to? A server in the slot
 * itself counts where it has taken the place of an earlier server.
 */
export function hasPlaceOf(config: Config, slot: number, sid: string): boolean {
  const known = slotOf(config, sid);
  if (known < 0) return false;
  return known === slot ? founderOf(config, slot) !== slot : config.seats[slot]?.heir === known;
}

/** The slot that has the place of `slot` now: itself, or its last heir. */
export function heirOf({ seats }: Config, slot: number): number {
  let at = slot;
  for (let heir = seats[at]?.heir; heir !== null && heir !== undefined; heir = seats[at]?.heir) {
    assert(heir > at, "an heir comes later");
    at = heir;
  }
  return at;
}
