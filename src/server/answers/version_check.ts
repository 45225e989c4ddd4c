/**
 * Checks the versions that clients ask a server to accept. A client may be anybody's program, so
 * only versions pass that a put could have made, on servers that exist. Used by answer.ts.
 */
import type { StoredName } from "../../file/names.ts";
import { decode } from "../../bytes.ts";
import { DfsError, isDfsError } from "../../errors.ts";
import { configCodec } from "../../membership.ts";
import type { Store } from "../../store/store.ts";
import { isGone, type Version } from "../../version.ts";
import { unsoundness } from "../../soundness.ts";

/**
 * Throws DfsError("protocol") for an unsound version of a name. A version that this server already
 * has may be sent again: it came before there was this check, and must be replaced like any other.
 */
export function checkVersion(
  store: Store,
  space: string,
  name: StoredName,
  version: Version,
): void {
  const isReserved = name === "";
  const why = unsoundness(version) ?? unfitness(store, version);
  if (/* rule: only-what-could-be-put */ why === null && !isReserved) return;
  const { acc, com } = store.read(space, name).register;
  const problem = why ?? misuse(version, com?.version ?? null);
  if (problem === null || [acc, com].some((known) => known?.version.vid === version.vid)) return;
  throw new DfsError("protocol", `that can be no version of a file: ${problem}`);
}

function unfitness({ membership: { config } }: Store, { ring }: Version): string | null {
  if (config === null || ring.every((slot) => slot < config.seats.length)) return null;
  return "it names servers that the cluster never had";
}

/**
 * The reserved name is for the configuration. A deletion is sound there only if there is no
 * configuration, for then it stands for "absent".
 */
function misuse({ deleted, pieces, body }: Version, known: Version | null): string | null {
  const what = "this name is the configuration's";
  if (deleted) return isGone(known) ? null : what;
  if (pieces > 0) return what;
  try {
    decode(configCodec, body);
    return null;
  } catch (error) {
    if (!isDfsError(error)) throw error;
    return what;
  }
}
