/** Who is an operator: who is marked so, and nobody by where their line stands once anybody was. */
import { afterAll, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { addUser, removeUser } from "../../src/server/users/edit_users.ts";
import { operatorsOf, verifierText, watchedUsers } from "../../src/server/users/users.ts";
import { verifierOf } from "../../src/wire/login.ts";
import { newFolder, removeFolders } from "../harness/program.ts";

afterAll(removeFolders);

const verifier = verifierOf("Alice", "a login");
const NEW = verifierText(verifier);

function fileWith(text: string): string {
  const path = join(newFolder(), "dfs.conf");
  writeFileSync(path, text);
  return path;
}

test("marks that are taken away by hand make nobody an operator, with a warning", async () => {
  const path = fileWith(`Zoë ${NEW} operator\nMallory ${NEW}\n`);
  const warnings: string[] = [];
  const users = watchedUsers(path, (line) => warnings.push(line));
  const operators = async (): Promise<string[]> =>
    [...(await users())].flatMap(([name, { isOperator }]) => (isOperator ? [name] : []));
  expect(await operators()).toEqual(["Zoë"]);
  writeFileSync(path, `Mallory ${NEW}\n`);
  for (let i = 0; i < 2; i++) expect(await operators()).toEqual([]);
  expect(warnings).toEqual([
    `${path}: nobody is marked as an operator any more, and so nobody is one`,
  ]);
  writeFileSync(path, `Mallory ${NEW}\nBob ${NEW} operator\n`);
  expect(await operators()).toEqual(["Bob"]);
});

test("a removal that takes the last mark away makes nobody an operator by where their line stands", async () => {
  const path = fileWith(`Zoë x operator\n- Mallory y # new\nBob ${NEW}\nEve z user\n`);
  const { before, after } = await removeUser(path, "Zoë");
  expect([...operatorsOf(before)]).toEqual(["Zoë"]);
  expect([...operatorsOf(after)]).toEqual([]);
  const left = `- Mallory y user # new\nBob ${NEW} user\nEve z user\n`;
  expect(readFileSync(path, "utf8")).toBe(left);
  await addUser(path, "Mallory", verifier, true);
  expect(readFileSync(path, "utf8")).toBe(left.replace("y user", `${NEW} operator`));
});

test("a removal that leaves another mark, or takes away who was first, changes no other line", async () => {
  const marked = fileWith("Zoë x operator\nMallory y\nBob z operator\n");
  await removeUser(marked, "Zoë");
  expect(readFileSync(marked, "utf8")).toBe("Mallory y\nBob z operator\n");
  const unmarked = fileWith("Zoë x\nMallory y\n");
  await removeUser(unmarked, "Zoë");
  expect(readFileSync(unmarked, "utf8")).toBe("Mallory y\n");
});
