/**
 * The small pieces that a server sends along with its reply to READ, so that a get of a small file
 * takes one round trip. Used by answer.ts.
 */
import type { StoredName } from "../../file/names.ts";
import { homesOf } from "../../file/placement.ts";
import { CHUNK_BYTES } from "../../limits.ts";
import type { PieceStore } from "../../store/pieces/pieces.ts";
import type { Config } from "../../membership.ts";
import type { Register, Version } from "../../version.ts";
import type { SentPiece } from "../../wire/values.ts";

/** Whose name it is, and the register of it here. */
interface Known {
  readonly space: string;
  readonly name: StoredName;
  readonly register: Register;
}

/**
 * This server's share of the pieces of the newest version. `asked` are the slots of all servers
 * that the client asks. If all of them answer, each piece comes once, from the first of its homes
 * among them. The pieces are not verified here, for the client checks them anyway. They add up to
 * at most one chunk.
 */
export function shareOf(
  pieces: PieceStore,
  { config, slot }: { readonly config: Config | null; readonly slot: number },
  { space, name, register }: Known,
  asked: readonly number[],
): SentPiece[] {
  const version = newestIn(register);
  if (!config || !version || !asked.includes(slot)) return [];
  const senders = homesOf(version, config).map((slots) =>
    slots.find((home) => asked.includes(home)),
  );
  const sent = [...senders.keys()].filter((piece) => senders[piece] !== undefined);
  const share: SentPiece[] = [];
  let bytes = 0;
  for (const piece of sent.slice(0, version.needed)) {
    const id = { space, name, vid: version.vid, piece };
    const data = senders[piece] === slot ? pieces.inline(id) : null;
    bytes += data?.length ?? 0;
    if (data && bytes <= CHUNK_BYTES) share.push({ piece, data });
  }
  return share;
}

/** The version that is probably current. */
function newestIn({ acc, com }: Register): Version | null {
  const newest = acc && (!com || acc.ballot > com.ballot) ? acc : com;
  return newest?.version ?? null;
}
