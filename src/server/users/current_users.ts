/** Who may use a server, by its file of users at each moment. Used by `serve`. */
import { join } from "node:path";
import { DfsError } from "../../errors.ts";
import type { ServeOptions } from "../serve.ts";
import { setVerifier } from "./edit_users.ts";
import { readUsers, USERS_FILE, type Warn, watchedUsers } from "./users.ts";

/**
 * The users in `file`, or in the file of the folder. If there never was a file there are no users,
 * and everybody has access. A server that once had users does not open to everybody when they are
 * gone. Throws DfsError("config").
 */
export async function accessFor(
  folder: string,
  file: string | undefined,
  warn: Warn,
): Promise<Pick<ServeOptions, "users" | "changeVerifier">> {
  const path = file ?? join(folder, USERS_FILE);
  const text = await readUsers(path);
  if (file !== undefined && text === null)
    throw new DfsError(
      "config",
      `${file}: there is no such file of users; dfs-tool user add makes one`,
    );
  let hasUsers = text !== null;
  const tableNow = watchedUsers(path, warn);
  const users: ServeOptions["users"] = async () => {
    const table = await tableNow();
    hasUsers ||= table.size > 0;
    return hasUsers ? table : null;
  };
  // A file that cannot be used is an error of the start.
  await users();
  return {
    users,
    async changeVerifier(user, verifier) {
      await setVerifier(path, user, verifier);
    },
  };
}
