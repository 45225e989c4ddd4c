/** What lies on a server since before there were users: in nobody's space, where no user sees it. `serve` tells who runs the server. */
import { decode } from "../../bytes.ts";
import { LIST_LOT } from "../../limits.ts";
import type { Tell } from "../../io/ports.ts";
import { trouble } from "../../store/catalog/findings.ts";
import type { Store } from "../../store/store.ts";
import { isGone, registerCodec } from "../../version.ts";
import { spaceOfUser } from "./answer.ts";
import type { UserTable } from "../access/login.ts";

const TEXT =
  "files lie here since before there were users, and no user sees them: as an operator, dfs-tool adopt takes them over";

/** The same users; the first time that there are some, who runs the server is told of files that lie in the open. */
export function tellingOfOpen(
  store: Store,
  users: () => Promise<UserTable | null>,
  tell: Tell,
): () => Promise<UserTable | null> {
  let isTold = false;
  return async () => {
    const table = await users();
    if (table === null || isTold) return table;
    isTold = true;
    if (hasOpen(store)) tell(trouble("open-files", TEXT));
    return table;
  };
}

/** Is there a file of nobody's that is not deleted? */
function hasOpen(store: Store): boolean {
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
