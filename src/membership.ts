/**
 * Which servers make a cluster, and how that changes: its configuration, a value of the register of the reserved name ""
 * (CONSISTENCY.md section 4, membership). Pure values, shared by wire, store, server and client.
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
  u8,
  type Value,
} from "./bytes.ts";
import { assert, DfsError } from "./errors.ts";
import { HOST_BYTES, SERVERS_MAX, SLOTS_MAX } from "./limits.ts";

export const CONFIG_FORMAT = 2;

/** Ids of servers and clusters: sixteen bytes in hexadecimal digits. */
export const idCodec = hex(16);

/** A place for one server. Its number, the slot, is for ever: versions name their servers by it. */
const seatCodec = struct({
  /** null: no server was seen there yet. */
  sid: optional(idCodec),
  /** What people call it, and where it was last known to be. */
  name: text(HOST_BYTES),
  host: text(HOST_BYTES),
  port: u16,
  /** The slot of the server that took its place. */
  heir: optional(u8),
});
export type Seat = Value<typeof seatCodec>;

const configFields = struct({
  format: u8,
  /** One more than before with each change. */
  epoch: u32,
  seats: list(seatCodec, SLOTS_MAX),
  /** The slots whose servers decide. */
  voters: list(u8, SERVERS_MAX),
  /** While it changes who decides: the slots after that. Until then each decision takes a quorum of both. */
  next: optional(list(u8, SERVERS_MAX)),
  /** Slots that decide and hold no pieces any more, or soon none. */
  leaving: list(u8, SERVERS_MAX),
});
export type Config = Value<typeof configFields>;

/** Throws DfsError("protocol") on a configuration that contradicts itself. */
export const configCodec: Codec<Config> = {
  write: (w, config) => configFields.write(w, config),
  read(r) {
    const config = configFields.read(r);
    if (config.format !== CONFIG_FORMAT)
      throw new DfsError("protocol", `a configuration of format ${config.format} does not read`);
    if (!isSound(config)) throw new DfsError("protocol", "a configuration contradicts itself");
    return config;
  },
};

/** Can this be? What is not may never be chosen: no server would go by it, and none could come after it. */
export function isSound({ seats, voters, next, leaving }: Config): boolean {
  const members = [...voters, ...(next ?? [])];
  const heirs = seats.flatMap(({ heir }) => (heir === null ? [] : [heir]));
  const sids = seats.flatMap(({ sid }) => (sid === null ? [] : [sid]));
  return (
    (next ?? voters).some((slot) => !leaving.includes(slot)) &&
    voters.length > 0 &&
    leaving.every((slot) => members.includes(slot)) &&
    new Set(sids).size === sids.length &&
    [...members, ...heirs].every((slot) => slot < seats.length) &&
    [voters, next ?? [], leaving].every((some) => new Set(some).size === some.length) &&
    seats.every(({ heir }, slot) => heir === null || heir > slot)
  );
}

/** These slots, each once; an heir has the place in the order that it took. */
const sorted = (config: Config, slots: readonly number[]): number[] =>
  [...new Set(slots)]
    .toSorted((a, b) => a - b)
    .toSorted((a, b) => founderOf(config, a) - founderOf(config, b));

/** The slots of all servers that are asked: those that decide, and while that changes those that will. */
export const membersOf = (config: Config): number[] =>
  sorted(config, [...config.voters, ...(config.next ?? [])]);

/** The slots of the servers that hold pieces, or are about to. */
export function placesOf(config: Config): number[] {
  const { voters, next, leaving } = config;
  return sorted(
    config,
    (next ?? voters).filter((slot) => !leaving.includes(slot)),
  );
}

/** The slot of a server; -1 where it has none. */
export const slotOf = ({ seats }: Config, sid: string): number =>
  seats.findIndex((seat) => seat.sid === sid);

/** The slot of the first of those whose place a server took; its own where it took nobody's. */
export function founderOf({ seats }: Pick<Config, "seats">, slot: number): number {
  const before = seats.findIndex(({ heir }) => heir === slot);
  return before < 0 ? slot : founderOf({ seats }, before);
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
