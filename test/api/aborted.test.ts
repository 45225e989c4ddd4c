/** What is cut short in the library: by a signal, by a body that fails, by whoever reads. Nothing is left of it. */
import { describe, expect, test } from "bun:test";
import { pause } from "../../src/client/connect/pause.ts";
import { Operator } from "../../src/api/operate.ts";
import { Store } from "../../src/api/store.ts";
import { PAIRS } from "../../src/file/layout.ts";
import { CHUNKS_IN_FLIGHT, MIB } from "../../src/limits.ts";
import { rejectionOf } from "../harness/thrown.ts";
import { contentOf } from "../sim/contents.ts";
import { Stage } from "../sim/levels_stage.ts";
import { bytesOf, contentIn, isSame, streamOf, using } from "./using.ts";

const CONTENT = contentOf(1, 5 * MIB + 1234);

describe.each([
  ["in the open", false],
  ["sealed", true],
])("in a store %s", (_, isSealed) => {
  test.each([0, 50_000, CONTENT.length])(
    "a put of a stream that is stuck after %d bytes ends with its signal",
    (length) => {
      new Stage(isSealed).run(async (cluster) => {
        const store = new Store(cluster, { layout: PAIRS, placement: "name" }, () => {});
        await store.put("a", "before");
        for (let i = 0; i < CHUNKS_IN_FLIGHT; i++) {
          const stop = new AbortController();
          let isCancelled = false;
          const body = streamOf(CONTENT.subarray(0, length), {
            isStuck: true,
            cancelled: () => void (isCancelled = true),
          });
          const put = store.put("a", body, { signal: stop.signal });
          await pause(cluster, 1000);
          stop.abort();
          await rejectionOf("interrupted", put);
          expect(isCancelled).toBe(true);
        }
        expect(await new Response(await contentIn(store, "a")).text()).toBe("before");
        // All the memory that puts share came back.
        await store.put("a", CONTENT);
        expect(isSame(await contentIn(store, "a"), CONTENT)).toBe(true);
      });
    },
  );

  test("a put of a body that fails, or is not as long as was said, changes nothing", () => {
    using(new Stage(isSealed), async (store) => {
      await store.put("a", "before");
      const failing = async function* () {
        yield CONTENT;
        throw new RangeError("no more");
      };
      expect(await store.put("a", failing()).catch((error: unknown) => error)).toEqual(
        new RangeError("no more"),
      );
      for (const size of [CONTENT.length - 1, CONTENT.length + 1, 0])
        await rejectionOf("putFailed", store.put("a", streamOf(CONTENT), { size }));
      await rejectionOf("usage", store.put("a", CONTENT, { size: 1 }));
      const short = { size: 10, read: async () => 0 };
      await rejectionOf("putFailed", store.put("a", short));
      expect(await new Response(await contentIn(store, "a")).text()).toBe("before");
    });
  });

  test("reads end with the signal of their reader, and a stream that is cancelled leaves it open", () => {
    using(new Stage(isSealed), async (store) => {
      await store.put("a", CONTENT);
      const stop = new AbortController();
      const reader = await store.open("a", { signal: stop.signal });
      const cancelled = reader.stream().getReader();
      await cancelled.read();
      await cancelled.cancel();
      expect(isSame(await bytesOf(reader.stream()), CONTENT)).toBe(true);

      const stream = reader.stream().getReader();
      await stream.read();
      const read = reader.read(new Uint8Array(MIB));
      stop.abort();
      await rejectionOf("interrupted", read);
      const drained = async (): Promise<void> => {
        while (!(await stream.read()).done);
      };
      await rejectionOf("interrupted", drained());
      await rejectionOf("interrupted", store.open("a", { signal: stop.signal }));
    });
  });

  test("what is asked with a signal that was aborted is not done", () => {
    using(new Stage(isSealed), async (store) => {
      const signal = AbortSignal.abort();
      await store.put("a", "before");
      for (const work of [
        () => store.put("a", "after", { signal }),
        () => store.info("a", { signal }),
        () => store.remove("a", { signal }),
        () => store.copy("a", "b", { signal }),
        () => store.setAttributes("a", { etag: "x" }, { signal }),
        () => store.makeFolder("d", { signal }),
        () => Array.fromAsync(store.list({ signal })),
      ])
        await rejectionOf("interrupted", work());
      expect(await Array.fromAsync(store.list(), (one) => "name" in one && one.name)).toEqual([
        "a",
      ]);
    });
  });

  test("what operators do ends with its signal too", () => {
    new Stage(isSealed).run(async (cluster) => {
      const operator = new Operator(cluster, { layout: PAIRS, placement: "name" });
      const signal = AbortSignal.abort();
      await rejectionOf("interrupted", operator.status({ signal }));
      for (const all of [
        operator.statuses({ signal }),
        operator.repair({ signal }),
        operator.verify({ signal }),
        operator.rebalance({ signal }),
      ])
        await rejectionOf("interrupted", all.next());
      expect((await operator.status()).word).toBe("HEALTHY");
    });
  });

  test("a store that is closed does nothing any more", () => {
    using(new Stage(isSealed), async (store) => {
      await store.put("a", "a");
      store.close();
      store.close();
      await rejectionOf("usage", store.info("a"));
      await rejectionOf("usage", Array.fromAsync(store.list()));
    });
  });
});
