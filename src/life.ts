/**
 * The lives of servers: each start of a server is one life more, with a mark that nobody can guess. Who knows a life of a server that this
 * one never had knows that its folder was put back to an earlier state. Pure values, shared by wire, store and client.
 */
import { hex, list, optional, struct, u53, type Value } from "./bytes.ts";
import { SLOTS_MAX } from "./limits.ts";
import { idCodec } from "./membership.ts";

export const MARK_BYTES = 8;
const markCodec = hex(MARK_BYTES);

/** One life of a server: its number, from 1, and its mark. */
export const lifeCodec = struct({ life: u53, mark: markCodec });
export type Life = Value<typeof lifeCodec>;

/** A life of the server with this id, as somebody knows it. */
export const knownLifeCodec = struct({ sid: idCodec, life: u53, mark: markCodec });
export type KnownLife = Value<typeof knownLifeCodec>;

export const knownLivesCodec = list(knownLifeCodec, SLOTS_MAX);

/** That a server lives this life now, for whoever knows it by the mark `from`, or not at all. */
export const newLifeCodec = struct({
  sid: idCodec,
  from: optional(markCodec),
  life: u53,
  mark: markCodec,
});
export type NewLife = Value<typeof newLifeCodec>;
