/**
 * What a computer remembers of a cluster from one command to the next: a few facts, each with a
 * key. api/config/seen keeps them. Used by connect and members.
 */
import { decode, encode } from "../../bytes.ts";
import { isDfsError } from "../../errors.ts";
import { type Config, configCodec } from "../../membership.ts";

export interface ClusterMemory {
  /** Where it lies, for messages. */
  readonly location: string;
  /** What was noted last under this key; null: nothing. */
  factOf(key: string): Uint8Array | null;
  noteFact(key: string, value: Uint8Array): void;
}

/** The key of the configuration that the cluster had when this computer last used it. */
const CLUSTER = "cluster";

/** The cluster that this computer has used before; null where it knows of none. */
export function knownCluster(memory: ClusterMemory | undefined): Config | null {
  const fact = memory?.factOf(CLUSTER) ?? null;
  if (!fact) return null;
  try {
    return decode(configCodec, fact);
  } catch (error) {
    if (isDfsError(error, "protocol")) return null;
    throw error;
  }
}

/** Remembers a cluster, and forgets any other. */
export function noteCluster(memory: ClusterMemory | undefined, config: Config): void {
  const known = knownCluster(memory);
  if (known?.birth !== config.birth || known.epoch < config.epoch)
    memory?.noteFact(CLUSTER, encode(configCodec, config));
}
