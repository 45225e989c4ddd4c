/** What a configuration may have done, and without what no user talks to other machines. */
import { afterAll, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfiguration, parseConfiguration } from "../../src/api/config/config.ts";
import { mustLogIn } from "../../src/api/opening.ts";
import { passwordOf } from "../../src/api/config/password.ts";
import { rejectionOf } from "../harness/thrown.ts";

const folder = mkdtempSync(join(tmpdir(), "dfs-password-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("a PasswordCommand is run only from a file that nobody else may have written", async () => {
  const path = join(folder, "dfc.conf");
  writeFileSync(path, "Server A 127.0.0.1:1\nUsername: x\nPasswordCommand: echo secret\n");
  chmodSync(path, 0o600);
  expect(await passwordOf(loadConfiguration(path), () => {})).toBe("secret");
  chmodSync(path, 0o666);
  await rejectionOf(
    "config",
    passwordOf(loadConfiguration(path), () => {}),
  );
});

test.each([
  ["Server A 10.0.0.1:1\nUsername: x", true],
  ["Server A 127.0.0.1:1\nServer B 10.0.0.1:1\nUsername: x", true],
  ["Server A 127.0.0.1:1\nUsername: x", false],
  ["Server A 10.0.0.1:1\nUsername: x\nTLS: off", false],
  ["Server A 10.0.0.1:1", false],
])("a user logs in where servers are on other machines: %j", (text, must) => {
  expect(mustLogIn(parseConfiguration(text, "dfc.conf"))).toBe(must);
});
