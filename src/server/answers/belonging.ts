/** What a server says of itself and of its cluster, and how it joins one and goes by a newer configuration. */
import { DfsError, isDfsError } from "../../errors.ts";
import type { Tell } from "../../io/ports.ts";
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
import { type Who } from "../access/admission.ts";
import { clusterChanged, clusterJoined } from "../access/tidings.ts";

const LIFE_UNKNOWN =
  "somebody knows a life of this server that it never had: its folder was put back to an earlier state, or they lie; such a server does not count";

/** Who asks, from where, and who is told of what comes of it. */
interface By {
  readonly who: Who;
  readonly from: string;
  readonly tell: Tell;
}

/** HELLO: who this is, and the configuration that it goes by. */
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
 * What this server has accepted of the cluster's configurations: the next one may be chosen, and whoever chose it dead. With a damaged
 * record that may be untold; a server that goes by one tells none then, and answers all the same. Throws DfsError("damaged").
 */
function agreed(store: Store): Register {
  try {
    return store.read("", "").register;
  } catch (error) {
    if (!store.membership.config || !isDfsError(error, "damaged")) throw error;
    return absentRow(store.floors.of(""));
  }
}

/** INIT: a blank server joins a cluster, for ever. Throws DfsError("identity", "forbidden"). */
export async function join(
  store: Store,
  { who, tell, from }: By,
  { sid, cluster }: RequestOf<"init">,
): Promise<ReplyOf<"init">> {
  checkServer(store, sid);
  if (!who.isOperator)
    throw new DfsError(
      "forbidden",
      `${who.user} is no operator, and a new server begins with one: have an operator run any command first, as dfs-tool status`,
    );
  if (await store.membership.join(cluster)) tell(clusterJoined(cluster, { ...who, from }));
  return {};
}

/**
 * LIVES: which lives it had, and what it is told of others; that is taken from operators only, or any user could name a life that never was,
 * and so put a server out. It is told where somebody knows a life that it never had. Throws DfsError("identity").
 */
export async function meet(
  store: Store,
  { who, tell }: By,
  request: RequestOf<"lives">,
): Promise<ReplyOf<"lives">> {
  checkServer(store, request.sid);
  checkCluster(store.membership.cluster, request.cluster);
  const { lives, membership } = store;
  const areYours = request.areYours.map((life) => lives.isOwn(life));
  if (areYours.includes(false)) tell(trouble("life-unknown", LIFE_UNKNOWN));
  if (who.isOperator) {
    await lives.record(request.tell, membership.config);
    if (request.isSettled) await lives.settle();
  }
  return { areYours, known: [...lives.known], isUnsettled: lives.isUnsettled };
}

/** INSTALL: goes by a configuration that was chosen. Throws DfsError("identity", "forbidden"). */
export async function install(
  store: Store,
  { who, tell, from }: By,
  request: RequestOf<"install">,
): Promise<ReplyOf<"install">> {
  checkServer(store, request.sid);
  checkCluster(store.membership.cluster, request.cluster);
  checkRightToInstall(store, who);
  for (const floor of [request.floor, ...request.floors.map((one) => one.floor)])
    checkBallot(floor);
  const floors = request.floors.map(({ user, floor }) => ({ space: spaceOfUser(user), floor }));
  if (await store.membership.install(request.config, request.floor, floors))
    tell(clusterChanged(request.config, { ...who, from }));
  return {};
}
