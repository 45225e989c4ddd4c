/**
 * The cluster at one epoch: who decides, who is asked, who holds pieces. Used by cluster, and by
 * all that look at its servers.
 */
import { encode } from "../../bytes.ts";
import { type Config, configCodec, listedIn, membersOf, placesOf } from "../../membership.ts";
import type { ReplyOf } from "../../wire/messages.ts";
import type { Greeted } from "./greeter.ts";
import { type Quorum, quorumOf } from "../../quorum.ts";

export interface View {
  readonly config: Config;
  readonly quorum: Quorum;
  /** The slots of all servers that are asked, and of those that may hold pieces. */
  readonly members: readonly number[];
  readonly places: readonly number[];
  /** The members, and the seats that are kept for servers which were never seen. */
  readonly listed: readonly number[];
}

/** Derives the view from a configuration. */
export const viewOf = (config: Config): View => ({
  config,
  quorum: quorumOf(config),
  members: membersOf(config),
  places: placesOf(config),
  listed: listedIn(config),
});

/**
 * What a server says of the configuration: the one that it goes by, and the one that it accepted
 * last.
 */
type ConfigAnswer = Pick<ReplyOf<"hello">, "config" | "register">;

/**
 * The configuration to go by, from what servers say. It is the newest one that two servers go by,
 * or that one goes by and another has accepted. Each was chosen, if the servers do not lie. Where
 * more than two servers tell of a configuration, no single one may lead a client away from the
 * others: the client waits until a second one says the same.
 */
export function vouchedConfig(answers: readonly ConfigAnswer[]): Config | null {
  const configs = answers.flatMap(({ config }) => config ?? []);
  const newestFirst = configs.toSorted((a, b) => b.epoch - a.epoch);
  const [first, second] = newestFirst;
  if (configs.length <= 2) return first ?? null;
  const voices = answers.map(({ config, register: { acc } }) => [
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
  vouchedConfig(greeted.map(({ greeting }) => greeting));
