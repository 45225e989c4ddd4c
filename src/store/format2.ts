/**
 * Registers as folders of format 2 have them: a version is its own content, and its history has ids
 * only. Used by upgrade.ts.
 */
import { bool, bytes, type Codec, hex, list, struct, u128, u53, u8, type Value } from "../bytes.ts";
import { HISTORY_LENGTH, MANIFEST_BYTES, PIECES_MAX } from "../limits.ts";
import { pairCodec, type Register, type Version } from "../version.ts";

const oldVersionCodec = struct({
  vid: hex(16),
  seq: u53,
  history: list(hex(16), HISTORY_LENGTH),
  birthFloor: u128,
  deleted: bool,
  pieces: u8,
  needed: u8,
  copies: u8,
  ring: list(u8, PIECES_MAX),
  size: u53,
  body: bytes(MANIFEST_BYTES),
});
const oldPairCodec = pairCodec(struct({ ballot: u128, version: oldVersionCodec }));

const today = (version: Value<typeof oldVersionCodec>): Version => ({
  ...version,
  history: version.history.map((vid) => ({ vid, cid: null, put: 0, keep: 0 })),
  put: 0,
  keepMax: 0,
  cid: version.pieces > 0 ? version.vid : null,
  striped: version.pieces > version.needed,
  at: [],
});

/** Reads a register of format 2 as one of today. It cannot be written. */
export const oldRegisterCodec: Pick<Codec<Register>, "read"> = {
  read(r) {
    const prom = u128.read(r);
    const { acc, com } = oldPairCodec.read(r);
    const accepted = acc && { ballot: acc.ballot, version: today(acc.version) };
    const isSame = com !== null && com.ballot === acc?.ballot;
    return {
      prom,
      acc: accepted,
      com: isSame ? accepted : com && { ballot: com.ballot, version: today(com.version) },
    };
  },
};
