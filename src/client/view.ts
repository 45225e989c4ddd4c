/** The cluster at one epoch: who decides, who is asked, who holds pieces. */
import { encode } from "../bytes.ts";
import { type Config, configCodec, membersOf, placesOf } from "../membership.ts";
import { type Quorum, quorumOf } from "./decide.ts";

export interface View {
  readonly config: Config;
  readonly quorum: Quorum;
  /** The slots of all servers that are asked, and of those that hold pieces. */
  readonly members: readonly number[];
  readonly places: readonly number[];
}

/** What follows from a configuration. */
export const viewOf = (config: Config): View => ({
  config,
  quorum: quorumOf(config),
  members: membersOf(config),
  places: placesOf(config),
});

/**
 * The configuration to go by, of those that servers say they go by: the newest that two of them say. Each was chosen, if they do not
 * lie; one alone must not lead a client away from the others, so where there are more than two to ask it waits for a second.
 */
export function vouched(configs: readonly Config[]): Config | null {
  const newestFirst = configs.toSorted((a, b) => b.epoch - a.epoch);
  const [first, second] = newestFirst;
  if (configs.length <= 2) return first ?? null;
  const texts = newestFirst.map((config) => encode(configCodec, config).toHex());
  const twice = newestFirst.find((_, i) => texts.indexOf(texts[i] ?? "") < i);
  return twice && twice.epoch >= (second?.epoch ?? 0) ? twice : (second ?? null);
}
