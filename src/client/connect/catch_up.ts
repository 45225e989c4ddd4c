/**
 * What a client does when a server refuses a request because one of them knows more of the cluster:
 * their epochs differ, or the lives of servers that they know. Used by cluster.
 */
import { type ErrorCode, isDfsError } from "../../errors.ts";
import type { Config } from "../../membership.ts";
import type { ReplyOf } from "../../wire/messages.ts";
import type { Peer } from "./peer.ts";
import { type View, vouchedConfig } from "./view.ts";

/** The cluster of that client. */
interface BehindCluster {
  readonly id: string;
  readonly view: View;
  readonly live: readonly number[];
  peer(slot: number): Peer | null;
  readonly epochs: { meet(): Promise<void>; adopt(config: Config): Promise<void> };
}

/**
 * The server refused with `code`. If it is behind, it gets what the client knows. If it is ahead,
 * the client adopts the configuration that the servers vouch for. In all other cases the servers
 * are met again.
 */
export async function catchUp(cluster: BehindCluster, peer: Peer, code: ErrorCode): Promise<void> {
  const { config } = await peer.hello();
  if (code === "lives") return cluster.epochs.meet();
  const ours = cluster.view.config;
  if ((config?.epoch ?? 0) < ours.epoch) await peer.install(cluster.id, ours, 0n);
  if (!config || config.epoch <= ours.epoch) return cluster.epochs.meet();
  const greetings = await greetingsOf(cluster.live.flatMap((slot) => cluster.peer(slot) ?? []));
  const next = vouchedConfig(greetings);
  await (next ? cluster.epochs.adopt(next) : cluster.epochs.meet());
}

/** Asks these servers what they say of themselves now, and returns the answers. */
async function greetingsOf(peers: readonly Peer[]): Promise<ReplyOf<"hello">[]> {
  const all = await Promise.all(
    peers.map(async (peer) => {
      try {
        return await peer.hello();
      } catch (error) {
        if (!isDfsError(error)) throw error;
        return [];
      }
    }),
  );
  return all.flat();
}
