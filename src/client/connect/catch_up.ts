/** What a client does where a server knows more of the cluster than it, or less: their epochs differ, or the lives that they know of. */
import type { ErrorCode } from "../../errors.ts";
import type { Config } from "../../membership.ts";
import type { Connections } from "./connections.ts";
import type { Peer } from "./peer.ts";
import { type View, vouched } from "./view.ts";

/** The cluster that is to catch up. */
interface Behind {
  readonly id: string;
  readonly view: View;
  readonly connections: Connections;
  readonly live: readonly number[];
  peer(slot: number): Peer | null;
  meet(): Promise<void>;
  adopt(config: Config): Promise<void>;
}

/** Brings a server that refused with this code to what the client knows, or the client to what it and the others know. */
export async function catchUp(cluster: Behind, peer: Peer, code: ErrorCode): Promise<void> {
  const { config } = await peer.hello();
  if (code === "lives") return cluster.meet();
  const ours = cluster.view.config;
  if ((config?.epoch ?? 0) < ours.epoch) await peer.install(cluster.id, ours, 0n);
  if (!config || config.epoch <= ours.epoch) return cluster.meet();
  const told = await cluster.connections.greetingsOf(
    cluster.live.flatMap((slot) => cluster.peer(slot) ?? []),
  );
  const next = vouched(told);
  await (next ? cluster.adopt(next) : cluster.meet());
}
