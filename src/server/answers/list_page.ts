/** A page of a list: a walk through the names of a space. Used by answer.ts. */
import { LIST_LOT, LIST_PAGE, LIST_PAGE_BYTES } from "../../limits.ts";
import type { Store } from "../../store/store.ts";
import { beyond, folderOf } from "../../wire/levels.ts";
import type { ReplyOf, RequestOf } from "../../wire/messages.ts";
import type { ListEntry } from "../../wire/values.ts";
import { bytesOf, entryOf } from "./list_entry.ts";

/**
 * The names of a space that come after `after` and begin with `prefix`, in byte order. With a
 * delimiter, a common prefix has its first name only, and the one that `after` lies in has none.
 */
export function listPage(
  store: Store,
  space: string,
  { after, limit, everything, facts, ...level }: RequestOf<"list">,
): ReplyOf<"list"> {
  const entries: ListEntry[] = [];
  const page = (done: boolean) => ({ complete: !store.isDamaged, entries, done });
  const most = Math.min(limit, LIST_PAGE);
  let bytes = 0;
  let last = after;
  let folder = folderOf(after, level);
  let from: string | null = folder === null ? level.prefix : beyond(folder);
  // A page is read in lots, for if the names are long only few fit into a reply. After a common
  // prefix the next one is likely, and so is a lot of one name: all others would be passed over.
  for (let lot = level.delimiter === "" ? LIST_LOT : 1; entries.length < most;) {
    if (from === null) return page(true);
    const wanted = Math.min(most - entries.length, lot);
    const batch = store.page(space, last, from, wanted, everything, lot > 1);
    const [first] = batch;
    if (lot === 1 && first && folderOf(first.name, level) === null) {
      lot = 2;
      continue;
    }
    for (const row of batch) {
      if (!row.name.startsWith(level.prefix)) return page(true);
      if (folder !== null && row.name.startsWith(folder)) continue;
      folder = folderOf(row.name, level);
      const entry = entryOf(store, row, { everything, facts: facts && folder === null });
      bytes += bytesOf(entry);
      if (bytes > LIST_PAGE_BYTES) return page(false);
      entries.push(entry);
      last = row.name;
      from = folder === null ? level.prefix : beyond(folder);
    }
    if (batch.length < wanted) return page(true);
    lot = folder === null ? Math.min(2 * lot, LIST_LOT) : 1;
  }
  return page(false);
}
