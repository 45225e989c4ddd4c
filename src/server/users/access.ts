/** Who may use a server, as its file of users says at each moment. */
import { join } from "node:path";
import { DfsError } from "../../errors.ts";
import type { ServeOptions } from "../serve.ts";
import { setVerifier } from "./edit_users.ts";
import { readUsers, USERS_FILE, type Warn, watchedUsers } from "./users.ts";

/**
 * The users in this file, or in the folder's own. Where there never was one there are no users; who had some does not open to everybody
 * when they are gone. Throws DfsError("config").
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
  // A file that cannot be used is better told now.
  await users();
  return {
    users,
    async changeVerifier(user, verifier) {
      await setVerifier(path, user, verifier);
    },
  };
}
