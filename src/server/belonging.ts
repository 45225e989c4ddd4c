/** What a server says of itself and of its cluster, and how it joins one and goes by a newer configuration. */
import { DfsError } from "../errors.ts";
import type { Store } from "../store/store.ts";
import { PROTOCOL_VERSION } from "../wire/handshake.ts";
import type { ReplyOf, RequestOf } from "../wire/messages.ts";
import { checkBallot, checkMember, checkRightToInstall, checkServer, type Who } from "./answer.ts";

/** HELLO: who this is, and the configuration that it goes by. */
export async function greeting(store: Store, release: string): Promise<ReplyOf<"hello">> {
  await store.membership.settled();
  const { membership, sid, floor } = store;
  return {
    version: PROTOCOL_VERSION,
    release,
    sid,
    cluster: membership.cluster,
    floor,
    config: membership.config,
    register: store.read("", "").register,
  };
}

/** INIT: a blank server joins a cluster, for ever. Throws DfsError("identity", "forbidden"). */
export async function join(
  store: Store,
  who: Who,
  { sid, cluster }: RequestOf<"init">,
): Promise<ReplyOf<"init">> {
  checkServer(store, sid);
  if (!who.isOperator)
    throw new DfsError(
      "forbidden",
      `${who.user} is no operator, and a new server begins with one: have an operator run any command first, as dfs-tool status`,
    );
  await store.membership.join(cluster);
  return {};
}

/** INSTALL: goes by a configuration that was chosen. Throws DfsError("identity", "forbidden"). */
export async function install(
  store: Store,
  who: Who,
  request: RequestOf<"install">,
): Promise<ReplyOf<"install">> {
  checkMember(store, request);
  checkRightToInstall(store, who);
  checkBallot(request.floor);
  await store.membership.install(request.config, request.floor);
  return {};
}
