/** The cluster at one epoch: who decides, who is asked, who holds pieces. */
import { encode } from "../../bytes.ts";
import { type Config, configCodec, listedIn, membersOf, placesOf } from "../../membership.ts";
import type { ReplyOf } from "../../wire/messages.ts";
import type { Greeted } from "./greeter.ts";
import { type Quorum, quorumOf } from "../../quorum.ts";

export interface View {
  readonly config: Config;
  readonly quorum: Quorum;
  /** The slots of all servers that are asked, and of those that hold pieces. */
  readonly members: readonly number[];
  readonly places: readonly number[];
  /** Those that are asked, and those that are kept for servers which were never seen. */
  readonly listed: readonly number[];
}

/** What follows from a configuration. */
export const viewOf = (config: Config): View => ({
  config,
  quorum: quorumOf(config),
  members: membersOf(config),
  places: placesOf(config),
  listed: listedIn(config),
});

/** What a server says of the configuration: the one that it goes by, and the one that it accepted last. */
type Told = Pick<ReplyOf<"hello">, "config" | "register">;

/**
 * The configuration to go by, of those that servers say they go by: the newest that two of them say, or that one says and another has
 * accepted. Each was chosen, if they do not lie; one alone must not lead a client away from the others, so where there are more
 * than two to ask it waits for a second.
 */
export function vouched(told: readonly Told[]): Config | null {
  const configs = told.flatMap(({ config }) => config ?? []);
  const newestFirst = configs.toSorted((a, b) => b.epoch - a.epoch);
  const [first, second] = newestFirst;
  if (configs.length <= 2) return first ?? null;
  const voices = told.map(({ config, register: { acc } }) => [
    config && encode(configCodec, config).toHex(),
    acc && acc.version.body.toHex(),
  ]);
  const twice = newestFirst.find((config) => {
    const text = encode(configCodec, config).toHex();
    return voices.filter((voice) => voice.includes(text)).length > 1;
  });
  return twice && twice.epoch >= (second?.epoch ?? 0) ? twice : (second ?? null);
}

/** The configuration that these servers tell of; null: none. */
export const configIn = (greeted: readonly Greeted[]): Config | null =>
  vouched(greeted.map(({ greeting }) => greeting));
