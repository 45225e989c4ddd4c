/**
 * The lives of servers. Each start of a server begins a life, which has a number and a mark that
 * nobody can guess. If others know a life that the server never had, its folder was put back to an
 * earlier state. Pure values, shared by wire, store and client.
 */
import { hex, list, optional, struct, u53, type Value } from "./bytes.ts";
import { SLOTS_MAX } from "./limits.ts";
import { idCodec } from "./membership.ts";

export const MARK_BYTES = 8;
const markCodec = hex(MARK_BYTES);

/** One life of a server: its number, from 1, and its mark. */
export const lifeCodec = struct({ life: u53, mark: markCodec });
export type Life = Value<typeof lifeCodec>;

/** A life of the server with this id, as another server or a client knows it. */
export const knownLifeCodec = struct({ sid: idCodec, life: u53, mark: markCodec });
export type KnownLife = Value<typeof knownLifeCodec>;

export const knownLivesCodec = list(knownLifeCodec, SLOTS_MAX);

/**
 * A server's new life, for those that know the server by the mark `from` (null: for those that do
 * not know it).
 */
export const newLifeCodec = struct({
  sid: idCodec,
  from: optional(markCodec),
  life: u53,
  mark: markCodec,
});
export type NewLife = Value<typeof newLifeCodec>;
