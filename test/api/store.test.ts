/** The library over simulated servers: what is put comes back, conditions hold, and streams keep to their version. */
import { describe, expect, test } from "bun:test";
import { Store } from "../../src/api/store.ts";
import { pause } from "../../src/client/connect/pause.ts";
import { openStored } from "../../src/client/files/stored_source.ts";
import { PAIRS } from "../../src/file/layout.ts";
import { MIB, TRASH_GRACE_MS } from "../../src/limits.ts";
import { named } from "../harness/named.ts";
import { rejectionOf } from "../harness/thrown.ts";
import { contentOf } from "../sim/contents.ts";
import { Stage } from "../sim/levels_stage.ts";
import { bytesOf, contentIn, inParts, isSame, streamOf, using } from "./using.ts";

const CONTENT = contentOf(1, 5 * MIB + 1234);
const OTHER = contentOf(2, 3 * MIB);

describe.each([
  ["in the open", false],
  ["sealed", true],
])("a store %s", (_, isSealed) => {
  test("gives back what was put, whatever it came from", () => {
    using(new Stage(isSealed), async (store) => {
      const other = await store.put("reader", CONTENT).then(() => store.open("reader"));
      const bodies = {
        bytes: CONTENT,
        stream: streamOf(CONTENT),
        iterable: inParts(CONTENT, 70_001),
        reader: other,
        blob: new Blob([CONTENT]),
      };
      for (const [name, body] of Object.entries(bodies)) {
        const { size, version } = await store.put(name, body, {
          attributes: { type: "a/b", "meta:from": name, time: new Date(1234) },
        });
        expect(size).toBe(CONTENT.length);
        expect(isSame(await contentIn(store, name), CONTENT)).toBe(true);
        const info = await store.info(name);
        expect(info).toMatchObject({ name, version, size, kind: "file", contentType: "a/b" });
        expect(info.modified).toEqual(new Date(1234));
        expect(new TextDecoder().decode(info.attributes.get("meta:from"))).toBe(name);
      }
      expect((await store.put("text", "äö")).size).toBe(4);
      expect(await store.put("none", streamOf(new Uint8Array()))).toMatchObject({ size: 0 });
      expect((await contentIn(store, "none")).length).toBe(0);
      other.close();
    });
  });

  test("gives any range, in a stream or into memory", () => {
    using(new Stage(isSealed), async (store) => {
      await store.put("a", streamOf(CONTENT));
      const reader = await store.open("a");
      const end = CONTENT.length;
      for (const [offset, length] of [
        [0, 0],
        [0, 1],
        [end - 1, 1],
        [end - 1, 100],
        [end, 5],
        [end + 7, 5],
        [MIB - 1, MIB + 2],
        [65_536, 65_536],
        [1_234_567, 3 * MIB],
      ] as const) {
        const expected = CONTENT.subarray(offset, offset + length);
        expect(isSame(await bytesOf(reader.stream({ offset, length })), expected)).toBe(true);
        const into = new Uint8Array(length);
        expect(await reader.read(into, offset)).toBe(expected.length);
        expect(isSame(into.subarray(0, expected.length), expected)).toBe(true);
      }
      await rejectionOf("usage", reader.read(new Uint8Array(1), -1));
      reader.close();
      await rejectionOf("interrupted", reader.read(new Uint8Array(1)));
    });
  });

  test("changes nothing where a condition does not hold", () => {
    using(new Stage(isSealed), async (store) => {
      const first = await store.put("a", "1", { ifNoneMatch: "*" });
      const second = await store.put("a", "2", { ifMatch: first.version });
      const ifMatch = first.version;
      await rejectionOf("conflict", store.put("a", "3", { ifMatch }));
      await rejectionOf("conflict", store.put("a", streamOf(OTHER), { ifMatch }));
      await rejectionOf("conflict", store.put("a", "3", { ifNoneMatch: "*" }));
      await rejectionOf("conflict", store.put("a", "3", { ifMatch: "no version" }));
      await rejectionOf("usage", store.put("a", "3", { ifMatch, ifNoneMatch: "*" }));
      await rejectionOf("conflict", store.remove("a", { ifMatch }));
      await rejectionOf("conflict", store.setAttributes("a", { etag: "x" }, { ifMatch }));
      await rejectionOf("conflict", store.open("a", { version: ifMatch }));
      await rejectionOf("conflict", store.copy("a", "b", { ifMatch }));
      await rejectionOf("conflict", store.copy("a", "a", { ifMatch }));
      await rejectionOf("conflict", store.move("a", "b", { ifMatch }));
      await rejectionOf("noSuchName", store.info("b"));
      await store.put("b", "b");
      await rejectionOf("conflict", store.copy("a", "b", { ifNoneMatch: "*" }));
      expect((await store.info("a")).version).toBe(second.version);

      const changed = await store.setAttributes("a", { etag: "x" }, { ifMatch: second.version });
      const moved = await store.move("a", "c", { ifMatch: changed.version, ifNoneMatch: "*" });
      expect(await store.info("c")).toMatchObject({ version: moved.version, size: 1, etag: "x" });
      await store.setAttributes("c", { etag: null });
      expect((await store.info("c")).etag).toBeUndefined();
      await rejectionOf("noSuchName", store.info("a"));
    });
  });

  test("lists names with what is known of them, and levels", () => {
    using(new Stage(isSealed), async (store) => {
      await store.makeFolder("d/");
      for (const name of ["a", "d/x", "d/y", "e"]) await store.put(name, name);
      const names = async (wanted: Parameters<Store["list"]>[0]) =>
        Array.fromAsync(store.list(wanted), (one) => ("prefix" in one ? one.prefix : one.name));
      expect(await names({})).toEqual(["a", "d/", "d/x", "d/y", "e"]);
      expect(await names({ delimiter: "/" })).toEqual(["a", "d/", "e"]);
      expect(await names({ prefix: "d/", after: "d/x", limit: 5 })).toEqual(["d/y"]);
      const [folder, file] = await Array.fromAsync(store.list({ prefix: "d/", facts: true }));
      expect(folder).toMatchObject({ name: "d/", info: { kind: "folder" } });
      expect(file).toMatchObject({ name: "d/x", size: 3, info: await store.info("d/x") });
    });
  });

  test("reads on in the version that was opened, for as long as it is read", () => {
    const stage = new Stage(isSealed);
    stage.run(async (cluster) => {
      const store = new Store(cluster, { layout: PAIRS, placement: "name" }, () => {});
      for (const change of ["put", "remove"]) {
        await store.put("a", CONTENT);
        const reader = await store.open("a");
        const stream = reader.stream().getReader();
        const first = await stream.read();
        await (change === "put" ? store.put("a", OTHER) : store.remove("a"));
        await pause(cluster, 3 * TRASH_GRACE_MS);
        const parts = [first.value ?? new Uint8Array()];
        for (let next = await stream.read(); !next.done; next = await stream.read())
          parts.push(next.value);
        expect(isSame(Buffer.concat(parts), CONTENT)).toBe(true);
        reader.close();
      }

      // What nobody says that they read is gone by then.
      await store.put("a", CONTENT);
      const { source } = await openStored(cluster, named("a"));
      await store.put("a", OTHER);
      await pause(cluster, 3 * TRASH_GRACE_MS);
      await rejectionOf("conflict", source.read(new Uint8Array(10), MIB));
    });
  });

  test.each([0, 1, 2, 3])(
    "reads on while server %d is lost, and the name is written anew",
    (slot) => {
      const stage = new Stage(isSealed);
      using(stage, async (store) => {
        await store.put("a", CONTENT);
        const reader = await store.open("a");
        const parts: Uint8Array[] = [];
        for await (const part of reader.stream()) {
          if (parts.length === 0) {
            stage.stop(slot);
            await store.put("a", OTHER);
          }
          parts.push(part);
        }
        expect(isSame(Buffer.concat(parts), CONTENT)).toBe(true);
        reader.close();
      });
    },
  );
});
