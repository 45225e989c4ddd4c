/** Users of a test's own choosing: the file that servers know them by, and the computers that they work at. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { verifierText } from "../../src/server/users/users.ts";
import { stretch } from "../../src/io/stretch.ts";
import { verifierOf } from "../../src/wire/login.ts";
import { newFolder, type Ran, run } from "../harness/program.ts";
import { writeOwned } from "../harness/password.ts";
import { configOf, expectDone, type ServerProcess } from "../harness/stage.ts";

/** What the mission has a client say that is not let in. */
export const REFUSED = "Invalid Username/Password. Please try again.";

/** A file of users, by their passwords; the first is the operator. */
export async function usersFile(passwords: Readonly<Record<string, string>>): Promise<string> {
  const path = join(newFolder(), "dfs.conf");
  const lines = Object.entries(passwords).map(async ([name, password]) => {
    const { login } = await stretch(name, password);
    return `${name} ${verifierText(verifierOf(name, login))}\n`;
  });
  writeOwned(path, (await Promise.all(lines)).join(""));
  return path;
}

/** What dfc.conf says of a user. */
export const lineOf = (name: string, password: string): string =>
  `Username: ${name}\nPassword: ${password}\n`;

type Address = Pick<ServerProcess, "name" | "port">;

/** A folder with a dfc.conf of its own, and what this computer remembers beside it. */
export class Computer {
  readonly folder = newFolder();
  readonly config = join(this.folder, "dfc.conf");

  /** `who` are the lines of its user. */
  constructor(servers: readonly Address[], who: string, host = "127.0.0.1") {
    writeOwned(this.config, configOf(servers, host, who));
  }

  dfs(...args: string[]): Promise<Ran> {
    return this.dfsWith({}, ...args);
  }

  /** With these in its environment too. */
  dfsWith(env: Record<string, string>, ...args: string[]): Promise<Ran> {
    return run(args, { cwd: this.folder, env });
  }

  /** Throws unless it goes well. */
  async put(name: string, bytes: string | Uint8Array): Promise<void> {
    writeFileSync(join(this.folder, "out"), bytes);
    expectDone(await this.dfs("put", "--name", name, "out"));
  }

  async get(name: string): Promise<Buffer> {
    expectDone(await this.dfs("get", name, "-o", "in"));
    return readFileSync(join(this.folder, "in"));
  }

  async list(): Promise<string> {
    const ran = await this.dfs("list");
    expectDone(ran);
    return ran.out;
  }
}
