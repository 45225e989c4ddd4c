/**
 * How the seats of a configuration change: weights, and servers that come to stay. Pure. Used by
 * the client's members, and for weights by file.
 */
import { WEIGHT_MAX } from "./limits.ts";
import { type Config, CONFIG_FORMAT, OLD_FORMAT, type Seat } from "./membership.ts";

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
