/**
 * Finds files in the open: they were put before there were users, into nobody's space, where no
 * user sees them. Used by serve.ts, which tells the operator of them.
 */
import { decode } from "../../bytes.ts";
import { LIST_LOT } from "../../limits.ts";
import type { Notify } from "../../io/ports.ts";
import { trouble } from "../../store/catalog/findings.ts";
import type { Store } from "../../store/store.ts";
import { isGone, registerCodec } from "../../version.ts";
import { spaceOfUser } from "./answer.ts";
import type { UserTable } from "../access/login.ts";

const TEXT =
  "files lie here since before there were users, and no user sees them: as an operator, dfs-tool adopt takes them over";

/**
 * Returns the same table of users. The first time that there are users, it also tells the operator
 * if there are files in the open.
 */
export function reportingOpenFiles(
  store: Store,
  users: () => Promise<UserTable | null>,
  notify: Notify,
): () => Promise<UserTable | null> {
  let isReported = false;
  return async () => {
    const table = await users();
    if (table === null || isReported) return table;
    isReported = true;
    if (hasOpenFiles(store)) notify(trouble("open-files", TEXT));
    return table;
  };
}

/** Is there a file in nobody's space that is not deleted? */
function hasOpenFiles(store: Store): boolean {
  const space = spaceOfUser("");
  for (let after = ""; ;) {
    const page = store.page(space, after, "", LIST_LOT, false);
    if (page.some(isFile)) return true;
    const last = page.at(-1);
    if (!last || page.length < LIST_LOT) return false;
    after = last.name;
  }
}

function isFile({ register }: ReturnType<Store["page"]>[number]): boolean {
  if (!register || register === "damaged") return false;
  const { acc, com } = decode(registerCodec, register);
  return !isGone((com ?? acc)?.version ?? null);
}
