/** One request against the store: what each message of the wire means to this server. */
import { DfsError } from "../errors.ts";
import { checkFolder, checkName } from "../file/names.ts";
import { BLOCK_BYTES, CHUNK_BYTES, LIST_PAGE, LIST_PAGE_BYTES } from "../limits.ts";
import type { Store } from "../store/store.ts";
import type { Accepted } from "../version.ts";
import type {
  Address,
  AddressedKind,
  EntryState,
  ListEntry,
  ReplyOf,
  RequestOf,
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

  drop: () => ({ ok: false }),

  async fetch(context, { name, vid, piece, offset, length }) {
    if (offset % BLOCK_BYTES !== 0 || length > CHUNK_BYTES)
      throw new DfsError(
        "protocol",
        `a fetch of ${length} bytes at ${offset} is not within the protocol`,
      );
    const [space] = checked(context, name);
    return { data: await context.store.fetch(space, vid, piece, offset, length) };
  },

  async sums(context, { name, vid, piece, offset, length }) {
    if (length > CHUNK_BYTES)
      throw new DfsError("protocol", `${length} bytes of sums are not within the protocol`);
    const [space] = checked(context, name);
    return { data: await context.store.sums(space, vid, piece, offset, length) };
  },

  list(context, { after, prefix, limit }) {
    const { store } = context;
    const entries: ListEntry[] = [];
    let bytes = 0;
    const wanted = Math.min(limit, LIST_PAGE);
    const page = store.page(spaceOf(context.user, "/"), after, prefix, wanted);
    for (const { name, register } of page) {
      if (!name.startsWith(prefix)) return { floor: store.floor, entries, done: true };
      const acc = stateOf(store, register?.acc ?? null);
      const com = stateOf(store, register?.com ?? null);
      bytes += 2 * name.length + 256;
      if (bytes > LIST_PAGE_BYTES) return { floor: store.floor, entries, done: false };
      entries.push({ name, acc, com });
    }
    return { floor: store.floor, entries, done: page.length < wanted };
  },
};

function stateOf(store: Store, accepted: Accepted | null): EntryState | null {
  if (!accepted) return null;
  const { vid, deleted, pieces, needed, size } = accepted.version;
  return { ballot: accepted.ballot, vid, deleted, pieces, needed, size, held: store.held(vid) };
}

/** The reply to a request that is for this very server; throws DfsError. */
export function answer<K extends AddressedKind>(context: Context, kind: K, request: RequestOf<K>) {
  checkAddress(context.store, request.to);
  return (ANSWERS[kind] as (c: Context, r: RequestOf<K>) => Promise<ReplyOf<K>> | ReplyOf<K>)(
    context,
    request,
  );
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
