/** For every message the requests and the replies that there may be. */
import fc from "fast-check";
import { INLINE_BYTES, SEALED_NAME_BYTES, USER_BYTES } from "../../src/limits.ts";
import { OUTLINES_BYTES } from "../../src/outline.ts";
import { mayBeStored } from "../../src/file/names.ts";
import { type Kind, type ReplyOf, type RequestOf } from "../../src/wire/messages.ts";
import type {
  Address,
  Held,
  Pending,
  Here,
  InlinePiece,
  ListEntry,
  SentPiece,
} from "../../src/wire/values.ts";
import * as any from "../harness/arbitraries.ts";

const name = fc
  .oneof(
    any.textUpTo(40),
    fc.constantFrom("", ".", "a/b", "//", "ü".repeat(512), "c".repeat(SEALED_NAME_BYTES)),
  )
  .filter(mayBeStored);
const id = any.hexOf(16);
const to: fc.Arbitrary<Address> = fc.record({
  cluster: id,
  epoch: any.u32,
  sid: id,
  user: any.textUpTo(USER_BYTES),
});
const pieces = fc.array(any.u8, { maxLength: 64 });
const root = any.bytesOf(32);
const { vid, ballot, accepted, config, register, version } = any;
/** Mostly a few bytes, now and then as many as make a field that is not copied. */
const data = fc.oneof(any.bytesUpTo(80), any.bytesOf(4095), any.bytesOf(5000));

const held: fc.Arbitrary<Held> = fc.record({ cid: vid, pieces, bad: pieces });
const pending: fc.Arbitrary<Pending> = fc.record({ vid, cid: vid, age: any.u32 });
const smallData = fc.oneof(any.bytesUpTo(80), any.bytesOf(INLINE_BYTES));
const inline: fc.Arbitrary<InlinePiece> = fc.record({
  piece: any.u8,
  root,
  data: smallData,
});
const sent: fc.Arbitrary<SentPiece> = fc.record({ piece: any.u8, data: smallData });
const here: fc.Arbitrary<Here> = fc.record({ held: pieces, lacking: any.u8, astray: any.u8 });
const entry: fc.Arbitrary<ListEntry> = fc.record({
  name,
  damaged: fc.boolean(),
  others: fc.boolean(),
  values: any.bytesUpTo(OUTLINES_BYTES),
  here: fc.array(here, { maxLength: 2 }),
});

const mark = any.hexOf(8);
const life = fc.record({ life: any.u53, mark });
const known = fc.record({ sid: id, life: any.u53, mark });

const refused = fc.constantFrom("low", "high", null);
const user = any.textUpTo(USER_BYTES);
const floors = fc.array(fc.record({ user: fc.option(user), floor: ballot }), { maxLength: 6 });
const nothing = fc.constant({});
const ok = fc.record({ ok: fc.boolean() });

type Exchanges = {
  [K in Kind]: {
    readonly request: fc.Arbitrary<RequestOf<K>>;
    readonly reply: fc.Arbitrary<ReplyOf<K>>;
  };
};

export const EXCHANGES: Exchanges = {
  hello: {
    request: fc.record({ magic: any.u32, version: any.u16, user: any.textUpTo(255) }),
    reply: fc.record({
      version: any.u16,
      release: any.textUpTo(64),
      sid: id,
      cluster: fc.option(id),
      floor: ballot,
      config: fc.option(config),
      register,
      now: life,
      known: fc.array(known, { maxLength: 5 }),
      isUnsettled: fc.boolean(),
      was: fc.option(id),
    }),
  },
  init: { request: fc.record({ sid: id, cluster: id }), reply: nothing },
  read: {
    request: fc.record({ to, name, asked: fc.array(any.u16, { maxLength: 9 }) }),
    reply: fc.record({
      floor: ballot,
      register,
      held: fc.array(held, { maxLength: 6 }),
      pending: fc.array(pending, { maxLength: 6 }),
      pieces: fc.array(sent, { maxLength: 3 }),
    }),
  },
  upload: {
    request: fc.record({
      to,
      name,
      vid,
      cid: vid,
      piece: any.u8,
      size: fc.option(any.u53),
      offset: any.u53,
      root: fc.option(root),
      data,
    }),
    reply: nothing,
  },
  prepare: {
    request: fc.record({
      to,
      name,
      ballot,
      vid,
      link: any.cid,
      inline: fc.array(inline, { maxLength: 3 }),
    }),
    reply: fc.record({ ok: fc.boolean(), refused, floor: ballot, register, held: pieces }),
  },
  accept: {
    request: fc.record({ to, name, ballot, version }),
    reply: fc.record({ ok: fc.boolean(), refused, prom: ballot, floor: ballot }),
  },
  commit: {
    request: fc.record({ to, name, accepted, sync: fc.boolean() }),
    reply: fc.record({ ignored: fc.boolean(), refused, prom: ballot, floor: ballot }),
  },
  forget: { request: fc.record({ to, name, ballot }), reply: ok },
  collect: { request: fc.record({ to, name, vid, ballot, spare: fc.boolean() }), reply: ok },
  drop: { request: fc.record({ to, name, cid: vid, piece: any.u8 }), reply: ok },
  link: {
    request: fc.record({ to, name, vid, cid: vid }),
    reply: fc.record({ held: pieces }),
  },
  fetch: {
    request: fc.record({ to, cid: vid, piece: any.u8, offset: any.u53, length: any.u32 }),
    reply: fc.record({ data }),
  },
  renew: { request: fc.record({ to, cid: vid }), reply: ok },
  list: {
    request: fc.record({
      to,
      after: name,
      prefix: name,
      delimiter: name,
      limit: any.u16,
      facts: fc.boolean(),
      everything: fc.boolean(),
    }),
    reply: fc.record({
      complete: fc.boolean(),
      entries: fc.array(entry, { maxLength: 6 }),
      done: fc.boolean(),
    }),
  },
  sums: {
    request: fc.record({ to, cid: vid, piece: any.u8, offset: any.u53, length: any.u32 }),
    reply: fc.record({ data }),
  },
  verify: {
    request: fc.record({ to, cid: vid, piece: any.u8, offset: any.u53, length: any.u32 }),
    reply: fc.constant({}),
  },
  status: {
    request: fc.record({ to }),
    reply: fc.record({
      free: fc.option(any.u53),
      short: fc.constantFrom("", "bytes", "inodes"),
      total: fc.option(any.u53),
      pieces: any.u53,
      bad: any.u53,
      unread: any.u53,
      oldest: fc.option(any.u53),
      unreadFor: fc.option(any.u53),
      disk: fc.constantFrom("", "0123456789abcdef"),
    }),
  },
  install: {
    request: fc.record({ cluster: id, sid: id, config, floor: ballot, floors }),
    reply: nothing,
  },
  login: {
    request: fc.record({
      magic: any.u32,
      version: any.u16,
      user: any.textUpTo(USER_BYTES),
      nonce: root,
    }),
    reply: fc.record({ challenge: fc.option(fc.record({ nonce: root, sid: id })) }),
  },
  proof: {
    request: fc.record({ signature: any.bytesOf(64), scram: fc.option(root) }),
    reply: fc.record({ proof: root, isOperator: fc.boolean() }),
  },
  spaces: {
    request: fc.record({ to, after: fc.option(any.textUpTo(USER_BYTES)) }),
    reply: fc.record({
      users: fc.array(any.textUpTo(USER_BYTES), { maxLength: 6 }),
      done: fc.boolean(),
    }),
  },
  passwd: { request: fc.record({ publicKey: root, serverKey: root }), reply: nothing },
  lives: {
    request: fc.record({
      cluster: id,
      sid: id,
      areYours: fc.array(life, { maxLength: 5 }),
      tell: fc.array(fc.record({ sid: id, from: fc.option(mark), life: any.u53, mark })),
      isSettled: fc.boolean(),
    }),
    reply: fc.record({
      areYours: fc.array(fc.boolean(), { maxLength: 5 }),
      known: fc.array(known, { maxLength: 5 }),
      isUnsettled: fc.boolean(),
    }),
  },
  floors: {
    request: fc.record({ to, after: fc.option(user) }),
    reply: fc.record({ everywhere: ballot, floors, done: fc.boolean() }),
  },
};

export const KINDS = Object.keys(EXCHANGES) as Kind[];
