/** One request against the store: what each message of the wire means to this server. */
import { decode } from "../bytes.ts";
import { DfsError } from "../errors.ts";
import { checkFolder, checkName } from "../file/names.ts";
import { homes } from "../file/placement.ts";
import {
  BLOCK_BYTES,
  CHUNK_BYTES,
  LIST_PAGE,
  LIST_PAGE_BYTES,
  PIECES_MAX,
  VERIFY_BYTES,
} from "../limits.ts";
import type { Store } from "../store/store.ts";
import { type Accepted, type Ballot, BALLOT_MAX, type Version } from "../version.ts";
import {
  type Address,
  type AddressedKind,
  type Config,
  configCodec,
  type EntryState,
  type ListEntry,
  type ReplyOf,
  type RequestOf,
} from "../wire/messages.ts";
import type { Uploads } from "./uploads.ts";

/** What a request may use: the store, the pieces that this connection is sending, and whose space it is in. */
export interface Context {
  readonly store: Store;
  readonly uploads: Uploads;
  readonly user: string;
}

type Answers = {
  [K in AddressedKind]: (
    context: Context,
    request: RequestOf<K>,
  ) => Promise<ReplyOf<K>> | ReplyOf<K>;
};

/** The configuration of the cluster is a register of nobody's space. */
const spaceOf = (user: string, name: string): string => (name === "" ? "" : `u:${user}`);

function checked(context: Context, name: string): [space: string, name: string] {
  if (name.endsWith("/")) checkFolder(name);
  else if (name !== "") checkName(name);
  return [spaceOf(context.user, name), name];
}

const placed = (context: Context, name: string): { space: string; name: string } => ({
  space: checked(context, name)[0],
  name,
});

const ANSWERS: Answers = {
  read: (context, { name }) => context.store.read(...checked(context, name)),

  async upload(context, request) {
    const [space, name] = checked(context, request.name);
    await context.uploads.take({ ...request, space, name });
    return {};
  },

  prepare(context, { name, ballot, vid, inline }) {
    return context.store.prepare(...checked(context, name), ballot, vid, inline);
  },

  accept: (context, { name, ballot, version }) =>
    context.store.accept(...checked(context, name), ballot, version),

  commit: (context, { name, accepted, sync }) =>
    context.store.commit(...checked(context, name), accepted, sync),

  forget: (context, { name, ballot }) => context.store.forget(...checked(context, name), ballot),

  collect: (context, { name, vid, ballot }) =>
    context.store.collect(...checked(context, name), vid, ballot),

  drop(context, { name, vid, piece }) {
    const { store } = context;
    const own = ownSlot(store);
    const isAway = ({ ring, copies }: Version): boolean =>
      own >= 0 && !homes(ring, piece, copies).includes(own);
    return store.drop(...checked(context, name), vid, piece, isAway);
  },

  async fetch(context, { name, vid, piece, offset, length }) {
    if (offset % BLOCK_BYTES !== 0 || length > CHUNK_BYTES)
      throw new DfsError(
        "protocol",
        `a fetch of ${length} bytes at ${offset} is not within the protocol`,
      );
    const id = { ...placed(context, name), vid, piece };
    return { data: await context.store.pieces.fetch(id, offset, length) };
  },

  async sums(context, { name, vid, piece, offset, length }) {
    if (length > CHUNK_BYTES)
      throw new DfsError("protocol", `${length} bytes of sums are not within the protocol`);
    const id = { ...placed(context, name), vid, piece };
    return { data: await context.store.pieces.sums(id, offset, length) };
  },

  async verify(context, { name, vid, piece, offset, length }) {
    if (offset % BLOCK_BYTES !== 0 || length > VERIFY_BYTES)
      throw new DfsError("protocol", `${length} bytes to verify are not within the protocol`);
    const id = { ...placed(context, name), vid, piece };
    await context.store.scrub.verify(id, offset, length);
    return {};
  },

  status: (context) => context.store.scrub.health(),

  list(context, { after, prefix, limit, everything }) {
    const { store } = context;
    const complete = !store.isDamaged;
    const own = ownSlot(store);
    const entries: ListEntry[] = [];
    let bytes = 0;
    const wanted = Math.min(limit, LIST_PAGE);
    const space = spaceOf(context.user, "/");
    const page = store.page(space, after, prefix, wanted, everything);
    for (const { name, register } of page) {
      if (!name.startsWith(prefix)) return { complete, entries, done: true };
      const known = register === "damaged" ? null : register;
      const acc = stateOf(store, space, name, own, known?.acc ?? null);
      const isSame = known?.acc?.ballot === known?.com?.ballot;
      const com = isSame ? acc : stateOf(store, space, name, own, known?.com ?? null);
      const vids = [acc?.vid, com?.vid];
      const others =
        everything && store.heldOfName(space, name).some(({ vid }) => !vids.includes(vid));
      bytes += 2 * name.length + 256;
      if (bytes > LIST_PAGE_BYTES) return { complete, entries, done: false };
      entries.push({ name, damaged: register === "damaged", others, acc, com });
    }
    return { complete, entries, done: page.length < wanted };
  },
};

/** What is told of a value in a list; `own` is the slot of this server, -1 where it has none. */
function stateOf(
  store: Store,
  space: string,
  name: string,
  own: number,
  accepted: Accepted | null,
): EntryState | null {
  if (!accepted) return null;
  const { vid, deleted, pieces, needed, copies, ring, size } = accepted.version;
  const held = deleted ? [] : store.held(space, name, vid);
  const all = Array.from({ length: pieces }, (_, piece) => piece);
  const atHome = own < 0 ? held : all.filter((piece) => homes(ring, piece, copies).includes(own));
  const lacking = atHome.filter((piece) => !held.includes(piece)).length;
  const astray = held.filter((piece) => !atHome.includes(piece)).length;
  return { ballot: accepted.ballot, vid, deleted, needed, size, held, lacking, astray };
}

/** The configuration of the cluster, as far as this server knows it. */
function configOf(store: Store): Config | null {
  const { com } = store.read("", "").register;
  return com && decode(configCodec, com.version.body);
}

/** The slot that this server has in its cluster; -1 where it knows of none. */
const ownSlot = (store: Store): number => configOf(store)?.slots.indexOf(store.sid) ?? -1;

/** The reply to a request that is for this very server; throws DfsError. */
export function answer<K extends AddressedKind>(context: Context, kind: K, request: RequestOf<K>) {
  checkAddress(context.store, request.to);
  checkBounds(request);
  return (ANSWERS[kind] as (c: Context, r: RequestOf<K>) => Promise<ReplyOf<K>> | ReplyOf<K>)(
    context,
    request,
  );
}

/** Numbers that the layouts allow and the protocol does not. */
function checkBounds(request: RequestOf<AddressedKind>): void {
  if ("piece" in request) checkPiece(request.piece);
  if ("inline" in request) for (const { piece } of request.inline) checkPiece(piece);
  if ("ballot" in request) checkBallot(request.ballot);
  if ("accepted" in request) checkBallot(request.accepted.ballot);
}

function checkPiece(piece: number): void {
  if (piece >= PIECES_MAX) throw new DfsError("protocol", `there is no piece ${piece + 1}`);
}

/** There must always be a higher one. */
function checkBallot(ballot: Ballot): void {
  if (ballot > BALLOT_MAX) throw new DfsError("protocol", "a ballot is beyond all that can come");
}

function checkAddress(store: Store, to: Address): void {
  const { membership } = store;
  if (to.sid !== store.sid)
    throw new DfsError("identity", "the request is for another server than this one");
  if (!membership) throw new DfsError("identity", "this server belongs to no cluster yet");
  if (to.cluster !== membership.cluster)
    throw new DfsError("identity", "this server belongs to another cluster");
  if (to.epoch !== membership.epoch)
    throw new DfsError(
      "identity",
      `the cluster is at epoch ${membership.epoch}, the request at ${to.epoch}`,
    );
}
