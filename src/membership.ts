/**
 * The configuration of a cluster: which servers make it, and how that changes. It is a value of the
 * register of the reserved name "" (docs/consistency.md section 4, membership). Pure values, shared
 * by wire, store, server and client.
 */
import {
  bytes,
  type Codec,
  hex,
  list,
  optional,
  struct,
  text,
  u128,
  u16,
  u32,
  u53,
  u8,
  type Value,
} from "./bytes.ts";
import { assert, DfsError } from "./errors.ts";
import { HOST_BYTES, SERVERS_MAX, SLOTS_MAX, WEIGHT_MAX } from "./limits.ts";

export const CONFIG_FORMAT = 5;
/** The format before counts slots with eight bits, and knows no zones and no keepers. */
const SHORT_FORMAT = 4;
/** The format before that has no weights. */
const UNWEIGHED_FORMAT = 3;
/** The oldest format has no birth either, and seats without a server vote in it. */
export const OLD_FORMAT = 2;

/** Do the servers of this configuration have weights? */
export const hasWeights = ({ format }: Pick<Config, "format">): boolean => format >= SHORT_FORMAT;

/** How many of its last changes a configuration tells of, and how long each is. */
const CHANGES = 1000;
export const CHANGE_BYTES = 64;

/** Ids of servers and clusters: sixteen bytes in hexadecimal digits. */
export const idCodec = hex(16);

/** The birth of a cluster that was founded before clusters had one. */
export const NO_BIRTH = "0".repeat(32);

/** The number of a slot, in the formats before and today. */
type SlotCodec = Codec<number>;

const seatFields = (slot: SlotCodec) => ({
  /** null: no server has been seen there yet. */
  sid: optional(idCodec),
  /** What people call the server, and its last known address. */
  name: text(HOST_BYTES),
  host: text(HOST_BYTES),
  port: u16,
  /** The slot of the server that took its place; null where none did. */
  heir: optional(slot),
});
/** How large its disk is in proportion to the largest disk, which has WEIGHT_MAX. */
const weight = { weight: u16 };
/**
 * A place for one server. Its number, the slot, never changes: versions name their servers by it.
 */
const seatCodec = struct({
  ...seatFields(u16),
  ...weight,
  /** What it shares with other servers that fail at the same time; "": nothing is said. */
  zone: text(HOST_BYTES),
});
export type Seat = Value<typeof seatCodec>;

/** A seat in the formats before: what it lacks is as if nothing had been said. */
const olderSeat = (fields: Codec<Omit<Seat, "weight" | "zone"> & { weight?: number }>) => ({
  write: (w: Parameters<typeof fields.write>[0], seat: Seat) => fields.write(w, seat),
  read: (r: Parameters<typeof fields.read>[0]): Seat => ({
    weight: WEIGHT_MAX,
    zone: "",
    ...fields.read(r),
  }),
});
const unweighedSeat: Codec<Seat> = olderSeat(struct(seatFields(u8)));
const shortSeat: Codec<Seat> = olderSeat(struct({ ...seatFields(u8), ...weight }));

/** The address of a server, as a configuration has it. */
export type ServerAddress = Pick<Seat, "name" | "host" | "port">;

/** An address as people read it, and as dfc.conf has it. IPv6 is in brackets. */
export const writtenAddress = ({ host, port }: Pick<ServerAddress, "host" | "port">): string =>
  host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;

const head = struct({ format: u8 });
const fieldsWith = (seat: Codec<Seat>, slot: SlotCodec) => ({
  /** It is raised by one with each change. */
  epoch: u32,
  seats: list(seat, SLOTS_MAX),
  /** The slots of the servers that vote. */
  voters: list(slot, SERVERS_MAX),
  /**
   * While the voters change: the slots of the voters after the change. Until then each decision
   * takes a quorum of both. null: the voters do not change.
   */
  next: optional(list(slot, SERVERS_MAX)),
  /** Voters that get no new pieces. They hold no pieces, or will soon hold none. */
  leaving: list(slot, SERVERS_MAX),
});
const laterFields = (slot: SlotCodec) => ({
  /** A random id of the founding. So two foundings from one list of servers never mix. */
  birth: idCodec,
  /**
   * Slots that are kept for servers that were never seen. They have a place for pieces, and no
   * vote.
   */
  awaited: list(slot, SERVERS_MAX),
});
const largest = {
  /**
   * The bytes that WEIGHT_MAX stands for: how much pieces may take of the largest disk. 0: no
   * server has told its size.
   */
  largest: u53,
};
const oldConfig = struct(fieldsWith(unweighedSeat, u8));
const unweighedConfig = struct({ ...fieldsWith(unweighedSeat, u8), ...laterFields(u8) });
const shortConfig = struct({ ...fieldsWith(shortSeat, u8), ...laterFields(u8), ...largest });
const newConfig = struct({
  ...fieldsWith(seatCodec, u16),
  ...laterFields(u16),
  ...largest,
  /** The slots that decide on configurations; none: all voters do. */
  keepers: list(u16, SERVERS_MAX),
  /** A server that goes by this configuration has at least this floor in every space. */
  floor: u128,
  /** What each of the last changes changed; empty while all servers vote on every name. */
  log: list(bytes(CHANGE_BYTES), CHANGES),
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
    else if (config.format === SHORT_FORMAT) shortConfig.write(w, config);
    else newConfig.write(w, config);
  },
  read(r) {
    const { format } = head.read(r);
    const config: Config = { format, ...(FIELDS_OF[format]?.(r) ?? unknownFormat(format)) };
    if (!isSound(config)) throw new DfsError("protocol", "a configuration contradicts itself");
    return config;
  },
};

/** What configurations of the formats before do not say. */
const NO_MORE = { largest: 0, keepers: [], floor: 0n, log: [] };

/** How to read the fields after the format number, for each format. */
const FIELDS_OF: Readonly<Record<number, Codec<Value<typeof newConfig>>["read"]>> = {
  [OLD_FORMAT]: (r) => ({ ...NO_MORE, birth: NO_BIRTH, awaited: [], ...oldConfig.read(r) }),
  [UNWEIGHED_FORMAT]: (r) => ({ ...NO_MORE, ...unweighedConfig.read(r) }),
  [SHORT_FORMAT]: (r) => ({ ...NO_MORE, ...shortConfig.read(r) }),
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
  const { seats, voters, next, leaving, awaited, keepers } = config;
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
    seats.every((seat) => seat.weight > 0) &&
    (hasWeights(config) || seats.every((seat) => seat.weight === WEIGHT_MAX)) &&
    (config.format === CONFIG_FORMAT || seats.every(({ zone }) => zone === "")) &&
    keepers.every((slot) => voters.includes(slot))
  );
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
