/**
 * Answers one request from the store: what each message of the wire means to this server. Used by
 * session.ts.
 */
import { DfsError } from "../../errors.ts";
import { CONFIG_NAME, type StoredName } from "../../file/names.ts";
import { homesOf } from "../../file/placement.ts";
import {
  BLOCK_BYTES,
  CHUNK_BYTES,
  FLOORS_PAGE,
  PIECES_MAX,
  USERS_PAGE,
  VERIFY_BYTES,
} from "../../limits.ts";
import type { Store } from "../../store/store.ts";
import { type Ballot, BALLOT_MAX, type Version } from "../../version.ts";
import {
  type AddressedKind,
  type Kind,
  type ReplyOf,
  type RequestOf,
} from "../../wire/messages.ts";
import type { Address } from "../../wire/values.ts";
import type { Requester } from "../access/admission.ts";
import { listPage } from "./list_page.ts";
import { shareOf } from "./share.ts";
import { checkVersion } from "./version_check.ts";
import type { Uploads } from "./uploads.ts";

/** What a connection has: the store, and the pieces that the peer is sending. */
export interface Context {
  readonly store: Store;
  readonly uploads: Uploads;
}

/** What an answer may use, and the user in whose space the request is. */
interface InSpace extends Context {
  readonly user: string;
}

type Answers = {
  [K in AddressedKind]: (
    context: InSpace,
    request: RequestOf<K>,
  ) => Promise<ReplyOf<K>> | ReplyOf<K>;
};

/** The configuration of the cluster is a register in a space of its own, "". */
const SPACE = "u:";
const spaceOf = (user: string, name: StoredName): string =>
  name === CONFIG_NAME ? "" : SPACE + user;

/** The space of a user; with null, that of the configuration. */
export const spaceOfUser = (user: string | null): string => (user === null ? "" : SPACE + user);
const userOf = (space: string): string | null => (space === "" ? null : space.slice(SPACE.length));

const keyOf = ({ user }: InSpace, name: StoredName): [space: string, name: StoredName] => [
  spaceOf(user, name),
  name,
];

const idOf = ({ user }: InSpace, name: StoredName): { space: string; name: StoredName } => ({
  space: spaceOf(user, name),
  name,
});

const ANSWERS: Answers = {
  read(context, { name, asked }) {
    const { store } = context;
    const id = idOf(context, name);
    const state = store.read(id.space, name);
    const known = { space: id.space, register: state.register };
    const pieces = shareOf(store.pieces, store.membership, known, asked);
    return { ...state, pieces };
  },

  async upload(context, request) {
    const [space, name] = keyOf(context, request.name);
    await context.uploads.take({ ...request, space, name });
    return {};
  },

  prepare(context, { name, ballot, vid, link, inline }) {
    return context.store.prepare(...keyOf(context, name), ballot, { vid, link, inline });
  },

  accept(context, { name, ballot, version }) {
    const id = keyOf(context, name);
    checkVersion(context.store, ...id, version);
    return context.store.accept(...id, ballot, version);
  },

  commit(context, { name, accepted, sync }) {
    const id = keyOf(context, name);
    checkVersion(context.store, ...id, accepted.version);
    return context.store.commit(...id, accepted, sync);
  },

  forget: (context, { name, ballot }) => context.store.forget(...keyOf(context, name), ballot),

  collect: (context, { name, vid, ballot, spare }) =>
    context.store.collect(...keyOf(context, name), ballot, { vid, spare }),

  link: (context, { name, vid, cid }) => context.store.link(...keyOf(context, name), vid, cid),

  drop(context, { name, cid, piece }) {
    const { store } = context;
    const isAway = (version: Version): boolean => {
      const { config, slot } = store.membership;
      return config !== null && slot >= 0 && !homesOf(version, config)[piece]?.includes(slot);
    };
    return store.drop(...keyOf(context, name), { cid, piece }, isAway);
  },

  async fetch(context, { cid, piece, offset, length }) {
    if (offset % BLOCK_BYTES !== 0 || length > CHUNK_BYTES)
      throw new DfsError(
        "protocol",
        `a fetch of ${length} bytes at ${offset} is not within the protocol`,
      );
    const id = { space: spaceOfUser(context.user), cid, piece };
    return { data: await context.store.pieces.fetch(id, offset, length) };
  },

  async sums(context, { cid, piece, offset, length }) {
    if (length > CHUNK_BYTES)
      throw new DfsError("protocol", `${length} bytes of sums are not within the protocol`);
    const id = { space: spaceOfUser(context.user), cid, piece };
    return { data: await context.store.pieces.sums(id, offset, length) };
  },

  async verify(context, { cid, piece, offset, length }) {
    if (offset % BLOCK_BYTES !== 0 || length > VERIFY_BYTES)
      throw new DfsError("protocol", `${length} bytes to verify are not within the protocol`);
    const id = { space: spaceOfUser(context.user), cid, piece };
    await context.store.scrub.verify(id, offset, length);
    return {};
  },

  renew: (context, { cid }) => ({
    ok: context.store.pieces.renew(spaceOfUser(context.user), cid),
  }),

  status: (context) => context.store.scrub.health(),

  spaces(context, { after }) {
    const spaces = context.store.spacesAfter(after === null ? "" : SPACE + after, USERS_PAGE);
    const users = spaces.map((space) => space.slice(SPACE.length));
    return { users, done: users.length < USERS_PAGE };
  },

  floors(context, { after }) {
    const from = after === null ? null : SPACE + after;
    const { floors } = context.store;
    const page = floors.page(from, FLOORS_PAGE);
    const sent = page.map(({ space, floor }) => ({ user: userOf(space), floor }));
    return { everywhere: floors.everywhere, floors: sent, done: page.length < FLOORS_PAGE };
  },

  list: (context, request) => listPage(context.store, spaceOfUser(context.user), request),
};

/**
 * The requests that must be of the server's epoch: those that agree on a version, and those that
 * ask what belongs where. A piece is the same at any epoch, so it may be sent and read whatever the
 * client knows of the cluster.
 */
export const BOUND_TO_EPOCH: ReadonlySet<Kind> = new Set([
  "read",
  "prepare",
  "accept",
  "commit",
  "forget",
  "collect",
  "drop",
  "link",
  "list",
  "floors",
]);

/** The reply to a request that is addressed to this very server. Throws DfsError. */
export async function answer<K extends AddressedKind>(
  context: Context,
  requester: Requester,
  kind: K,
  request: RequestOf<K>,
): Promise<ReplyOf<K>> {
  const { membership } = context.store;
  checkMember(context.store, request.to);
  checkRight(context.store, requester, kind, request);
  const inSpace: InSpace = { ...context, user: request.to.user };
  const work = (): Promise<ReplyOf<K>> | ReplyOf<K> => {
    checkBounds(request);
    return (ANSWERS[kind] as (c: InSpace, r: RequestOf<K>) => Promise<ReplyOf<K>> | ReplyOf<K>)(
      inSpace,
      request,
    );
  };
  // rule: at-its-epoch
  return BOUND_TO_EPOCH.has(kind) ? membership.at(request.to.epoch, work) : work();
}

/** Requests that reveal something about all users. */
const OF_ALL_SPACES: ReadonlySet<Kind> = new Set(["spaces", "floors"]);

/** Requests about no space at all; every user may send them. */
const OF_NO_SPACE: ReadonlySet<Kind> = new Set(["status"]);

/**
 * Users may act only in their own space, and only operators change the configuration once there is
 * one. Throws DfsError("forbidden").
 */
function checkRight(
  store: Store,
  requester: Requester,
  kind: AddressedKind,
  request: RequestOf<AddressedKind>,
): void {
  if (requester.isOperator || OF_NO_SPACE.has(kind)) return;
  if (OF_ALL_SPACES.has(kind) || request.to.user !== requester.user)
    throw new DfsError("forbidden", `${requester.user} may not look into the files of others`);
  if ("name" in request && request.name === CONFIG_NAME && kind !== "read")
    checkRightToInstall(store, requester);
}

/**
 * Anybody may found a cluster; from then on only operators may change it. Throws
 * DfsError("forbidden").
 */
export function checkRightToInstall(store: Store, requester: Requester): void {
  if (requester.isOperator || store.membership.config === null) return;
  throw new DfsError(
    "forbidden",
    `${requester.user} is no operator, and may not change the cluster`,
  );
}

/** Refuses numbers that fit the layout of messages and are not within the protocol. */
function checkBounds(request: RequestOf<AddressedKind>): void {
  if ("piece" in request) checkPiece(request.piece);
  if ("inline" in request) for (const { piece } of request.inline) checkPiece(piece);
  if ("ballot" in request) checkBallot(request.ballot);
  if ("accepted" in request) checkBallot(request.accepted.ballot);
}

function checkPiece(piece: number): void {
  if (piece >= PIECES_MAX) throw new DfsError("protocol", `there is no piece ${piece + 1}`);
}

/** Refuses a ballot with no room above it: there must always be a higher one. */
export function checkBallot(ballot: Ballot): void {
  if (ballot > BALLOT_MAX) throw new DfsError("protocol", "a ballot is beyond all that can come");
}

/** Throws DfsError("identity") if the request is for another server. */
export function checkServer(store: Store, sid: string): void {
  if (sid !== store.sid)
    throw new DfsError("identity", "the request is for another server than this one");
}

/**
 * Throws DfsError("identity") if the request is for another server or another cluster, and
 * DfsError("epoch") if this server cannot tell yet.
 */
function checkMember(store: Store, to: Pick<Address, "cluster" | "sid" | "epoch">): void {
  checkServer(store, to.sid);
  checkCluster(store.membership.idAt(to.epoch), to.cluster);
}

/**
 * Throws DfsError("identity") if a request that names the cluster `meant` is for another cluster.
 */
export function checkCluster(own: string | null, meant: string): void {
  if (own === null) throw new DfsError("identity", "this server belongs to no cluster yet");
  if (own !== meant) throw new DfsError("identity", "this server belongs to another cluster");
}
