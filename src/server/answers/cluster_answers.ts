/**
 * Answers to HELLO, INIT, LIVES and INSTALL: what a server tells of itself and of its cluster, how
 * it joins one, and how it takes over a newer configuration. Used by session.ts.
 */
import { DfsError, isDfsError } from "../../errors.ts";
import { CONFIG_NAME } from "../../file/names.ts";
import type { Notify } from "../../io/ports.ts";
import { absentRow } from "../../store/acceptor.ts";
import { trouble } from "../../store/catalog/findings.ts";
import type { Store } from "../../store/store.ts";
import type { Register } from "../../version.ts";
import { PROTOCOL_VERSION } from "../../wire/handshake.ts";
import type { ReplyOf, RequestOf } from "../../wire/messages.ts";
import {
  checkBallot,
  checkCluster,
  checkRightToInstall,
  checkServer,
  spaceOfUser,
} from "./answer.ts";
import { type Requester } from "../access/admission.ts";
import { clusterChanged, clusterJoined } from "../access/notices.ts";

const LIFE_UNKNOWN =
  "somebody knows a life of this server that it never had: its folder was put back to an earlier state, or they lie; such a server does not count";

/** The user of a request, the address it came from, and the log that learns what comes of it. */
interface RequestOrigin {
  readonly requester: Requester;
  readonly from: string;
  readonly notify: Notify;
}

/** HELLO: which server this is, and the configuration in force here. */
export async function greeting(store: Store, release: string): Promise<ReplyOf<"hello">> {
  await store.membership.settled();
  const { membership, sid } = store;
  return {
    version: PROTOCOL_VERSION,
    release,
    sid,
    cluster: membership.cluster,
    floor: store.floors.of(""),
    config: membership.config,
    register: agreed(store),
    now: store.lives.now,
    known: [...store.lives.known],
    isUnsettled: store.lives.isUnsettled,
    was: store.was,
  };
}

/**
 * What this server has accepted as configurations of the cluster: the next one may be chosen
 * already, by a client that has died since. If the record is damaged this cannot be told; a server
 * with a configuration then answers without it. Throws DfsError("damaged").
 */
function agreed(store: Store): Register {
  try {
    return store.read("", CONFIG_NAME).register;
  } catch (error) {
    if (!store.membership.config || !isDfsError(error, "damaged")) throw error;
    return absentRow(store.floors.of(""));
  }
}

/** INIT: a blank server joins a cluster, for ever. Throws DfsError("identity", "forbidden"). */
export async function join(
  store: Store,
  { requester, notify, from }: RequestOrigin,
  { sid, cluster }: RequestOf<"init">,
): Promise<ReplyOf<"init">> {
  checkServer(store, sid);
  if (!requester.isOperator)
    throw new DfsError(
      "forbidden",
      `${requester.user} is no operator, and a new server begins with one: have an operator run any command first, as dfs-tool status`,
    );
  if (await store.membership.join(cluster)) notify(clusterJoined(cluster, { ...requester, from }));
  return {};
}

/**
 * LIVES: which lives this server had, and what the client tells of the lives of other servers. Such
 * news is taken only from operators: any user could otherwise name a life that never was, and so
 * keep a server out. The log gets a warning if somebody knows a life that this server never had.
 * Throws DfsError("identity").
 */
export async function meet(
  store: Store,
  { requester, notify }: RequestOrigin,
  request: RequestOf<"lives">,
): Promise<ReplyOf<"lives">> {
  checkServer(store, request.sid);
  checkCluster(store.membership.cluster, request.cluster);
  const { lives, membership } = store;
  const areYours = request.areYours.map((life) => lives.isOwn(life));
  if (areYours.includes(false)) notify(trouble("life-unknown", LIFE_UNKNOWN));
  if (requester.isOperator) {
    await lives.record(request.tell, membership.config);
    if (request.isSettled) await lives.settle();
  }
  return { areYours, known: [...lives.known], isUnsettled: lives.isUnsettled };
}

/** INSTALL: puts a chosen configuration in force. Throws DfsError("identity", "forbidden"). */
export async function install(
  store: Store,
  { requester, notify, from }: RequestOrigin,
  request: RequestOf<"install">,
): Promise<ReplyOf<"install">> {
  checkServer(store, request.sid);
  checkCluster(store.membership.cluster, request.cluster);
  checkRightToInstall(store, requester);
  for (const floor of [request.floor, ...request.floors.map((entry) => entry.floor)])
    checkBallot(floor);
  const floors = request.floors.map(({ user, floor }) => ({ space: spaceOfUser(user), floor }));
  if (await store.membership.install(request.config, request.floor, floors))
    notify(clusterChanged(request.config, { ...requester, from }));
  return {};
}
