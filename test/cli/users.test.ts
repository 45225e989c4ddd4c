import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { chmod, chown, lstat, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { addUser, removeUser, setVerifier } from "../../src/server/users/edit_users.ts";
import { lockFile } from "../../src/io/lock.ts";
import {
  loadUsers,
  operatorsOf,
  parseUsers,
  verifierText,
  watchedUsers,
} from "../../src/server/users/users.ts";
import { stretch } from "../../src/io/stretch.ts";
import { verifierOf } from "../../src/wire/login.ts";
import { scramVerifierOf } from "../../src/wire/scram.ts";
import { forAll } from "../harness/property.ts";
import { errorOf, rejectionOf } from "../harness/thrown.ts";
import { newFolder, removeFolders } from "../harness/program.ts";

afterAll(removeFolders);

const verifier = verifierOf("Alice", "a login");
const other = verifierOf("Alice", "another login");
const NEW = verifierText(verifier);
const scram = scramVerifierOf("Alice", "a login");
const SCRAM = verifierText(scram);

const parse = (text: string) => parseUsers(text, "dfs.conf");

/** A file of users with this text; null: it is not there. */
function fileWith(text: string | null): string {
  const path = join(newFolder(), "dfs.conf");
  if (text !== null) writeFileSync(path, text);
  return path;
}

describe("a file of users", () => {
  test("with everything that may be in it", () => {
    const text = [
      "\uFEFF# who may use it",
      "",
      "Alice SimplePassword",
      `* Bob ${SCRAM} operator # the admin`,
      `Carol ${NEW} user`,
      "-Zoë\tSimple#Password\toperator\r",
      `${"ü".repeat(32)} x # a comment`,
    ].join("\n");
    expect(parse(text)).toEqual([
      { line: 3, name: "Alice", secret: { password: "SimplePassword" }, role: null },
      { line: 4, name: "Bob", secret: { verifier: scram }, role: "operator" },
      { line: 5, name: "Carol", secret: { verifier }, role: "user" },
      { line: 6, name: "Zoë", secret: { password: "Simple#Password" }, role: "operator" },
      { line: 7, name: "ü".repeat(32), secret: { password: "x" }, role: null },
    ]);
    expect([...operatorsOf(parse(text))]).toEqual(["Bob", "Zoë"]);
    expect([...operatorsOf(parse("Alice x\nBob y"))]).toEqual(["Alice"]);
    expect([...operatorsOf([])]).toEqual([]);
    expect([...operatorsOf(parse("Alice x\nBob y user"))]).toEqual([]);
  });

  test.each([
    ["\nAlice", "2: nothing follows the name; a line is"],
    ["Alice #SECRET", "1: nothing follows the name"],
    ["Alice SECRET SECRET", "1: too much follows the name"],
    ["Alice SECRET operator SECRET", "1: too much follows the name"],
    ["Alice SECRET\n\nAlice SECRET", "3: there is another user Alice, in line 1"],
    ["a/b SECRET", '1: the name of the user cannot be one: it has a "/"'],
    [
      "a:b SECRET",
      '1: the name of the user cannot be one: it has a ":"; a line is "NAME PASSWORD"',
    ],
    ["Bob, SECRET", '1: the name of the user ends in ","; a line is "NAME PASSWORD"'],
    ["a#b SECRET", '1: the name of the user cannot be one: it has a "#"'],
    ["a\u0007b SECRET", "1: the name of the user cannot be one: it has a control character"],
    ["**a SECRET", '1: the name of the user cannot be one: it begins with "*"'],
    [`${"ü".repeat(33)} SECRET`, "1: the name of the user cannot be one: it is longer than 64"],
    ["\uFFFD SECRET", "1: the name of the user cannot be one: it is not valid Unicode"],
    ["Alice SCRAM-SHA-256$SECRET", "1: what follows SCRAM-SHA-256$ is damaged"],
    ["Alice Ed25519$SECRET", "1: what follows Ed25519$ is damaged"],
    [`Alice ${NEW}SECRET`, "1: what follows Ed25519$ is damaged"],
    [`Alice ${NEW.replace("Ed25519", "SCRAM-SHA-256")}SECRET`, "1: what follows SCRAM-SHA-256$ is"],
    ["Alice SECRET users", "1: too much follows the name"],
    [`Alice ${SCRAM}SECRET`, "1: what follows SCRAM-SHA-256$ is damaged"],
    [`Alice ${SCRAM}$SECRET`, "1: what follows SCRAM-SHA-256$ is damaged"],
    [`Alice ${SCRAM.replace("=", "")}`, "1: what follows SCRAM-SHA-256$ is damaged"],
  ])("%j is refused with its line, and no password is shown", (text, message) => {
    const error = errorOf("config", () => parse(text));
    expect(error.message).toStartWith(`dfs.conf:${message}`);
    expect(error.message).not.toContain("SECRET");
  });

  test("whatever is in it, it is read or refused", () => {
    const word = fc.constantFrom(
      "Alice",
      "*",
      "-",
      "#",
      " ",
      "\t",
      "\n",
      "\r",
      SCRAM,
      NEW,
      "operator",
      "user",
    );
    forAll([fc.array(fc.oneof(word, fc.string()))], (words) => {
      try {
        parse(words.join(""));
      } catch (error) {
        errorOf("config", () => {
          throw error;
        });
      }
    });
  });
});

describe("the users of a file", () => {
  test("have verifiers, also those with plain passwords, which it warns of", async () => {
    const path = fileWith(`Alice SimplePassword\nBob ${SCRAM}\n`);
    const warnings: string[] = [];
    const { login } = await stretch("Alice", "SimplePassword");
    expect([...(await loadUsers(path, (line) => warnings.push(line)))]).toEqual([
      ["Alice", { verifier: verifierOf("Alice", login), isOperator: true }],
      ["Bob", { verifier: scram, isOperator: false }],
    ]);
    expect(warnings).toEqual([
      `${path}:1: whoever reads this file knows the password of Alice; replace it with: dfs-tool user add ${path} Alice`,
    ]);
  });

  test("are none where there is no file; a folder is an error", async () => {
    const path = fileWith(null);
    expect((await loadUsers(path, fail)).size).toBe(0);
    await rejectionOf("config", loadUsers(join(path, ".."), fail));
  });

  test("are those of the moment, and read again only when they change", async () => {
    const path = fileWith(null);
    const users = watchedUsers(path, fail);
    expect((await users()).size).toBe(0);
    await addUser(path, "Alice", verifier, false);
    const [one, two] = await Promise.all([users(), users()]);
    expect([...one.keys()]).toEqual(["Alice"]);
    expect(two).toBe(one);
    expect(await users()).toBe(one);
    const change = setVerifier(path, "Alice", other);
    void users();
    await change;
    expect((await users()).get("Alice")?.verifier).toEqual(other);
    await rm(path);
    expect((await users()).size).toBe(0);
  });

  test("stay who they were while the file is broken, with one warning", async () => {
    const path = fileWith(`Alice ${SCRAM}\n`);
    const warnings: string[] = [];
    const users = watchedUsers(path, (line) => warnings.push(line));
    await users();
    writeFileSync(path, "Alice\n");
    for (let i = 0; i < 3; i++) expect([...(await users()).keys()]).toEqual(["Alice"]);
    expect(warnings).toEqual([expect.stringMatching(/dfs.conf:1: nothing .*; until then .*/)]);
    writeFileSync(path, `Bob ${SCRAM}\n`);
    expect([...(await users()).keys()]).toEqual(["Bob"]);
    expect(warnings.length).toBe(1);
  });

  test("are an error where the file was broken from the first", async () => {
    const path = fileWith("Alice\n");
    const users = watchedUsers(path, fail);
    for (let i = 0; i < 2; i++) await rejectionOf("config", users());
    writeFileSync(path, `Bob ${SCRAM}\n`);
    expect([...(await users()).keys()]).toEqual(["Bob"]);
  });
});

describe("a change", () => {
  test("leaves all other lines as they are", async () => {
    const head = "\uFEFF* Zoë  plain operator # first\r\n\r\n# Alice is below\n";
    const path = fileWith(`${head}  - Alice\tplain # her line\r\nBob ${NEW}`);
    await addUser(path, "Alice", verifier, true);
    const alice = `  - Alice\t${NEW} operator # her line\r\n`;
    expect(readFileSync(path, "utf8")).toBe(`${head}${alice}Bob ${NEW}`);
    await addUser(path, "Carol", other, true);
    const carol = `Carol ${verifierText(other)} operator\n`;
    expect(readFileSync(path, "utf8")).toBe(`${head}${alice}Bob ${NEW}\n${carol}`);
    await removeUser(path, "Alice");
    await setVerifier(path, "Bob", other);
    const bob = `Bob ${verifierText(other)}\n`;
    expect(readFileSync(path, "utf8")).toBe(`${head}${bob}${carol}`);
    await setVerifier(path, "Zoë", verifier);
    expect(readFileSync(path, "utf8")).toBe(`${head.replace("plain", NEW)}${bob}${carol}`);
  });

  test("puts the newer kind of verifier in the place of an older one", async () => {
    const path = fileWith(`Alice ${SCRAM} operator # hers\n`);
    await setVerifier(path, "Alice", verifier);
    expect(readFileSync(path, "utf8")).toBe(`Alice ${NEW} operator # hers\n`);
  });

  test("goes on where one that was killed had the lock", async () => {
    const path = fileWith(`Alice ${NEW}\n`);
    const held = `import { lockFile } from ${JSON.stringify(join(import.meta.dir, "../../src/io/lock.ts"))};
      globalThis.unlock = await lockFile(${JSON.stringify(`${path}-lock`)}, 0, 1);
      console.log("held"); setInterval(() => {}, 1000);`;
    const holder = Bun.spawn([process.execPath, "-e", held], { stdout: "pipe" });
    try {
      await holder.stdout.getReader().read();
      await rejectionOf("conflict", addUser(path, "Bob", verifier, false));
    } finally {
      holder.kill("SIGKILL");
      await holder.exited;
    }
    await addUser(path, "Bob", verifier, false);
    expect(readFileSync(path, "utf8")).toContain("Bob ");
  });

  test("that makes no sense is refused, and changes nothing", async () => {
    const text = `Alice ${NEW}\n`;
    const path = fileWith(text);
    const twice = await rejectionOf("usage", addUser(path, "Alice", other, false));
    expect(twice.message).toContain("dfs-tool user passwd");
    await rejectionOf("usage", removeUser(path, "Bob"));
    await rejectionOf("usage", setVerifier(path, "Bob", other));
    await rejectionOf("config", addUser(path, "a/b", other, false));
    expect(readFileSync(path, "utf8")).toBe(text);
    writeFileSync(path, "Alice\n");
    await rejectionOf("config", addUser(path, "Bob", other, false));
    expect((await readdir(join(path, ".."))).sort()).toEqual(["dfs.conf", "dfs.conf-lock"]);
  });

  test("is for the owner's eyes where the file is new, else for whose it was", async () => {
    const path = fileWith(null);
    await addUser(path, "Alice", verifier, false);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await chmod(path, 0o640);
    await addUser(path, "Bob", verifier, false);
    expect(statSync(path).mode & 0o777).toBe(0o640);
  });

  test.skipIf(process.getuid?.() !== 0)("stays whose it was", async () => {
    const path = fileWith("");
    await chown(path, 1234, 2345);
    await addUser(path, "Alice", verifier, false);
    expect(statSync(path)).toMatchObject({ uid: 1234, gid: 2345 });
  });

  test("follows a link, and leaves it one", async () => {
    const path = fileWith("");
    const link = join(newFolder(), "dfs.conf");
    symlinkSync(path, link);
    await addUser(link, "Alice", verifier, false);
    expect((await lstat(link)).isSymbolicLink()).toBe(true);
    expect(readFileSync(path, "utf8")).toContain("Alice");
  });

  test("is not lost to others at the same time", async () => {
    const path = fileWith(null);
    const names = Array.from({ length: 8 }, (_, i) => `user${i}`);
    await Promise.all(names.map((name) => addUser(path, name, verifier, false)));
    const found = parse(readFileSync(path, "utf8")).map(({ name }) => name);
    expect(found.sort()).toEqual(names);
    expect((await readdir(join(path, ".."))).sort()).toEqual(["dfs.conf", "dfs.conf-lock"]);
  });

  test("waits for another one, and names the lock that it keeps", async () => {
    const path = fileWith("");
    const unlock = await lockFile(`${path}-lock`, 0, 1);
    const error = await rejectionOf("conflict", addUser(path, "Alice", verifier, false));
    expect(error.message).toContain(`${path}-lock`);
    const waiting = addUser(path, "Alice", verifier, false);
    unlock?.();
    await waiting;
    expect(statSync(`${path}-lock`).mode & 0o777).toBe(0o600);
  });

  test("stays as it is where the new one cannot be made", async () => {
    const path = fileWith("");
    mkdirSync(`${path}.new`);
    const error = await rejectionOf("failed", addUser(path, "Alice", verifier, false));
    expect(error.message).toMatch(/^(.*) cannot be changed: [^:/]+$/);
    expect(error.message).toStartWith(`${path} `);
    expect(readFileSync(path, "utf8")).toBe("");
  });

  test("where there is no folder is an error", async () => {
    const path = join(newFolder(), "none", "dfs.conf");
    const error = await rejectionOf("failed", addUser(path, "Alice", verifier, false));
    expect(error.message).toBe(`${path} cannot be changed: its folder is not there`);
  });
});

const fail = (line: string): never => {
  throw new Error(`a warning: ${line}`);
};
