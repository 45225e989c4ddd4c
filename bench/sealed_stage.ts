/** Four servers that know one user, and clients with that user's password. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { verifierText } from "../src/server/users/users.ts";
import { stretch } from "../src/io/stretch.ts";
import { verifierOf } from "../src/wire/login.ts";
import { Stage } from "../test/harness/stage.ts";
import { newFolder } from "../test/harness/program.ts";

const USER = "Alice";
const PASSWORD = "correct horse battery staple";

export async function openSealed(launcher: readonly string[] = []): Promise<Stage> {
  const users = join(newFolder(), "dfs.conf");
  const { login } = await stretch(USER, PASSWORD);
  writeFileSync(users, `${USER} ${verifierText(verifierOf(USER, login))}\n`);
  return Stage.open(4, {
    users,
    launcher,
    more: `Username: ${USER}\nPassword: ${PASSWORD}\n`,
  });
}
