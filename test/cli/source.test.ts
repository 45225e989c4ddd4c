import { afterAll, expect, test } from "bun:test";
import { appendFileSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { localFile, withSource } from "../../src/cli/source.ts";
import { rejectionOf } from "../thrown.ts";
import { newFolder, removeFolders } from "./program.ts";

afterAll(removeFolders);

function newFile(content: string): string {
  const path = join(newFolder(), "a");
  writeFileSync(path, content, { mode: 0o640 });
  utimesSync(path, 1000, 1000);
  return path;
}

test("a file is read at any offset, and more than once", async () => {
  const file = await localFile(newFile("abcdef"));
  expect(file).toMatchObject({ bytes: 6, modified: 1_000_000, mode: 0o640 });
  await withSource(file, async (source) => {
    for (const [offset, text] of [
      [3, "def"],
      [0, "abc"],
      [0, "abcdef"],
    ] as const) {
      const into = new Uint8Array(text.length);
      await source.read(into, offset);
      expect(Buffer.from(into).toString()).toBe(text);
    }
  });
});

test.each([
  ["grows", (path: string) => appendFileSync(path, "g")],
  ["shrinks", (path: string) => truncateSync(path, 2)],
  ["gets other bytes", (path: string) => writeFileSync(path, "ABCDEF")],
])("a file that %s while it is read fails the put", async (_, change) => {
  const path = newFile("abcdef");
  const file = await localFile(path);
  const reading = withSource(file, async (source) => {
    await source.read(new Uint8Array(3), 0);
    change(path);
    await source.read(new Uint8Array(3), 3);
  });
  const { message } = await rejectionOf("putFailed", reading);
  expect(message).toBe(`${path} changed while it was read; put it again`);
});

test.each([
  ["/nowhere/a", "no such file"],
  ["/tmp", "is a folder"],
  ["/dev/null", "is no ordinary file"],
  ["/proc/self/status", "is no ordinary file"],
])("%s is refused: %s", async (path, message) => {
  const error = await rejectionOf("failed", localFile(path));
  expect(error.message).toContain(message);
});
