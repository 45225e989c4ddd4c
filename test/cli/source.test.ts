import { afterAll, expect, test } from "bun:test";
import {
  appendFileSync,
  chmodSync,
  closeSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { localFile, withSource } from "../../src/cli/local/source.ts";
import { isDfsError } from "../../src/errors.ts";
import { knownIn } from "../../src/file/attributes.ts";
import { samples } from "../harness/property.ts";
import { rejectionOf } from "../harness/thrown.ts";
import { newFolder, removeFolders } from "../harness/program.ts";

afterAll(removeFolders);

function newFile(content: string): string {
  const path = join(newFolder(), "a");
  writeFileSync(path, content, { mode: 0o640 });
  utimesSync(path, 1000, 1000);
  return path;
}

test("a file is read at any offset, and more than once", async () => {
  const file = await localFile(newFile("abcdef"));
  expect(file.bytes).toBe(6);
  const time = 1_000_000_000_000n;
  expect(knownIn(file.attributes)).toEqual({ time, mode: 0o640, by: "command" });
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

const text = fc.string({ unit: fc.constantFrom("a", "b", "c"), minLength: 1, maxLength: 8 });
const place = fc.nat(15);
/** What others do to a file meanwhile. */
const change = fc.oneof(
  fc.record({ at: place, text }).map(
    ({ at, text: bytes }) =>
      (path: string) =>
        overwrite(path, at, bytes),
  ),
  text.map((bytes) => (path: string) => appendFileSync(path, bytes)),
  place.map((length) => (path: string) => truncateSync(path, length)),
  fc.constant((path: string) => utimesSync(path, 1000, 1000)),
  fc.nat(0o777).map((mode) => (path: string) => chmodSync(path, mode)),
);
/** The place that is read next, and what happens after it. */
const step = fc.record({ at: fc.nat(3), changes: fc.array(change, { maxLength: 2 }) });

test("whatever happens to a file while it is read, what is put was the file at one moment", async () => {
  const path = newFile("");
  let put = 0;
  for (const steps of samples(fc.array(step, { minLength: 1, maxLength: 4 }), 2000)) {
    writeFileSync(path, "abcabcabcabc");
    utimesSync(path, 1000, 1000);
    const file = await localFile(path);
    const states = [readFileSync(path)];
    const into = new Uint8Array(file.bytes);
    const reading = withSource(file, async (source) => {
      for (const part of [0, 1, 2, 3]) {
        await source.read(into.subarray(3 * part, 3 * part + 3), 3 * part);
        for (const one of steps.filter(({ at }) => at === part).flatMap(({ changes }) => changes)) {
          one(path);
          states.push(readFileSync(path));
        }
      }
      await source.confirm();
    });
    const error = await reading.then(
      () => null,
      (thrown: unknown) => thrown,
    );
    if (isDfsError(error, "putFailed")) continue;
    expect(error).toBe(null);
    expect(states.some((state) => state.subarray(0, into.length).equals(into))).toBe(true);
    put++;
  }
  expect(put).toBeGreaterThan(100);
});

test("a file of a time before 1970, and one without bytes on the disk, are files", async () => {
  const path = newFile("");
  truncateSync(path, 1_000_000);
  utimesSync(path, new Date(0), new Date(-1500));
  const { bytes, attributes } = await localFile(path);
  expect([bytes, knownIn(attributes).time]).toEqual([1_000_000, -1_500_000_000n]);
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
