import { afterAll, describe, expect, test } from "bun:test";
import {
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { attributesOf } from "../../src/file/attributes.ts";
import { descriptorTarget, keepOrDiscard, targetAt } from "../../src/cli/local/sink.ts";
import { DfsError } from "../../src/errors.ts";
import { rejectionOf } from "../harness/thrown.ts";
import { newFolder, removeFolders } from "../harness/program.ts";

afterAll(removeFolders);

const attributes = attributesOf({ time: 0n, mode: 0o700 });
const found = { name: "a", vid: "00", rotation: 0, bytes: 6, attributes };
const bytes = (text: string): Uint8Array => Buffer.from(text);

describe("what get writes to", () => {
  test("is there only when it is whole", async () => {
    const folder = newFolder();
    const target = await targetAt(join(folder, "a"));
    await target.open(found);
    await target.write(bytes("def"), 3);
    await target.write(bytes("abc"), 0);
    expect(readdirSync(folder)).toEqual([expect.stringMatching(/^\.dfs-[0-9a-f]{16}\.tmp$/)]);
    await target.keep();
    expect(readdirSync(folder)).toEqual(["a"]);
    expect(readFileSync(join(folder, "a"), "utf8")).toBe("abcdef");
    expect(statSync(join(folder, "a")).mode & 0o777).toBe(0o700);
  });

  test("takes a draft, which what comes after it writes over, and shows it to nobody before", async () => {
    const folder = newFolder();
    const target = await targetAt(join(folder, "a"));
    await target.open(found);
    const lent = bytes("aXX");
    target.draft?.(lent, 0);
    lent.fill(0);
    target.draft?.(bytes("def"), 3);
    target.draft?.(bytes("bc"), 1);
    expect(readdirSync(folder)).toEqual([expect.stringMatching(/^\.dfs-[0-9a-f]{16}\.tmp$/)]);
    await target.keep();
    expect(readFileSync(join(folder, "a"), "utf8")).toBe("abcdef");
  });

  test("takes no draft where bytes are seen at once", async () => {
    expect((await targetAt("/dev/null")).draft).toBeUndefined();
    expect(descriptorTarget(1).draft).toBeUndefined();
  });

  test("stays as it was when the get fails", async () => {
    const folder = newFolder();
    writeFileSync(join(folder, "a"), "old");
    const target = await targetAt(join(folder, "a"));
    await target.open(found);
    await target.write(bytes("abc"), 0);
    await target.discard();
    expect(readdirSync(folder)).toEqual(["a"]);
    expect(readFileSync(join(folder, "a"), "utf8")).toBe("old");
  });

  test("says why the get failed, whatever cannot be cleaned up", async () => {
    const target = await targetAt(join(newFolder(), "a"));
    const discard = () => Promise.reject(new DfsError("failed", "the disk is read-only"));
    const work = () => Promise.reject(new DfsError("noSuchName", "there is no a"));
    const error = await rejectionOf("noSuchName", keepOrDiscard({ ...target, discard }, work));
    expect(error.message).toBe("there is no a");
  });

  test("keeps its permissions and stays a link", async () => {
    const folder = newFolder();
    writeFileSync(join(folder, "a"), "old", { mode: 0o600 });
    symlinkSync("a", join(folder, "link"));
    const target = await targetAt(join(folder, "link"));
    await target.open(found);
    await target.write(bytes("new"), 0);
    await target.keep();
    expect(readFileSync(join(folder, "a"), "utf8")).toBe("new");
    expect(statSync(join(folder, "a")).mode & 0o777).toBe(0o600);
    expect(readlinkSync(join(folder, "link"))).toBe("a");
  });

  test("begins anew when another version takes the place of the first", async () => {
    const folder = newFolder();
    const target = await targetAt(join(folder, "a"));
    await target.open(found);
    await target.write(bytes("the first, longer one"), 0);
    await target.open({ ...found, vid: "01" });
    await target.write(bytes("second"), 0);
    await target.keep();
    expect(readFileSync(join(folder, "a"), "utf8")).toBe("second");
    expect(readdirSync(folder)).toEqual(["a"]);
  });

  test("is no device or folder that would be replaced", async () => {
    const device = await targetAt("/dev/null");
    expect(device.inOrder).toBe(true);
    await device.open(found);
    await device.write(bytes("abc"), 0);
    // It cannot take back what it has handed on.
    const again = await rejectionOf("conflict", device.open({ ...found, vid: "01" }));
    expect(again.message).toContain("replaced while it was read");
    await device.keep();
    expect(statSync("/dev/null").isFile()).toBe(false);
    const folder = newFolder();
    const error = await rejectionOf("failed", targetAt(folder));
    expect(error.message).toContain(`${folder} is a folder; name a file`);
  });

  test("is named in errors, not the temporary file", async () => {
    const path = join(newFolder(), "none/a");
    const target = await targetAt(path);
    const error = await rejectionOf("failed", target.open(found));
    expect(error.message).toBe(`${path}: no such file or folder`);
  });
});
