import { afterAll, expect, test } from "bun:test";
import {
  appendFileSync,
  chmodSync,
  closeSync,
  linkSync,
  openSync,
  renameSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
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

/** Bytes in the place of others. */
function overwrite(path: string, offset: number, text: string): void {
  const file = openSync(path, "r+");
  writeSync(file, text, offset);
  closeSync(file);
}

test.each([
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

/** Reads one half, lets `change` happen, reads the other half, and confirms. */
function readAround(path: string, change: (path: string) => void): Promise<[string, boolean]> {
  return localFile(path).then((file) =>
    withSource(file, async (source) => {
      const into = new Uint8Array(source.bytes);
      await source.read(into.subarray(0, 3), 0);
      change(path);
      await source.read(into.subarray(3), 3);
      await source.confirm();
      return [Buffer.from(into).toString(), source.hasGrown()];
    }),
  );
}

test.each<[string, (path: string) => void, boolean]>([
  ["grows", (path) => appendFileSync(path, "g"), true],
  ["gets other rights", (path) => chmodSync(path, 0o600), false],
  ["gets another link", (path) => linkSync(path, `${path}2`), false],
  ["is moved", (path) => renameSync(path, `${path}2`), false],
  ["is removed", (path) => unlinkSync(path), false],
])("a file that %s while it is read is what it was at its start", async (_, change, grew) => {
  expect(await readAround(newFile("abcdef"), change)).toEqual(["abcdef", grew]);
});

test.each<[string, (path: string) => void]>([
  [
    "its time is put back",
    (path) => {
      writeFileSync(path, "ABCDEF");
      utimesSync(path, 1000, 1000);
    },
  ],
  [
    "it grows as well",
    (path) => {
      overwrite(path, 0, "A");
      appendFileSync(path, "g");
    },
  ],
  [
    "it is longer in the end",
    (path) => {
      truncateSync(path, 0);
      writeFileSync(path, "ghijklmnop");
    },
  ],
])("a file that changed while it is read is not put, though %s", async (_, change) => {
  const path = newFile("abcdef");
  const { message } = await rejectionOf("putFailed", readAround(path, change));
  expect(message).toBe(`${path} changed while it was read; put it again`);
});

test("a file of a time before 1970, and one without bytes on the disk, are files", async () => {
  const path = newFile("");
  truncateSync(path, 1_000_000);
  utimesSync(path, new Date(0), new Date(-1500));
  expect(await localFile(path)).toMatchObject({ bytes: 1_000_000, modified: -1500 });
});

test.each([
  ["/nowhere/a", "no such file"],
  ["/tmp", "is a folder"],
  ["/dev/null", "is no ordinary file"],
  ["/proc/self/status", "is no ordinary file"],
  ["/sys/kernel/mm/transparent_hugepage/enabled", "is no ordinary file"],
])("%s is refused: %s", async (path, message) => {
  const error = await rejectionOf("failed", localFile(path));
  expect(error.message).toContain(message);
});
