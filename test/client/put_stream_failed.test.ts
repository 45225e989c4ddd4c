/** Streams that cannot be stored, and how much of one is read ahead. */
import { named } from "../harness/named.ts";
import { describe, expect, test } from "bun:test";
import { putStream } from "../../src/client/files/put_stream.ts";
import { DfsError } from "../../src/errors.ts";
import { NO_ATTRIBUTES } from "../../src/file/attributes.ts";
import { layoutOf } from "../../src/file/layout.ts";
import { CHUNK_BYTES, CHUNKS_IN_FLIGHT } from "../../src/limits.ts";
import { rejectionOf } from "../harness/thrown.ts";
import { contentOf } from "../sim/contents.ts";
import { LARGE, partsOf, Stage, STRIPE } from "./stream_stage.ts";

describe("of a stream nothing is stored", () => {
  test.each([10, STRIPE + 10, 2 * STRIPE])("that fails after %d bytes", (most) => {
    const stage = new Stage();
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield LARGE.subarray(0, most);
      throw new DfsError("failed", "the source broke");
    }
    stage.run(rejectionOf("failed", stage.begin("a", failing())));
    expect(stage.versionOf("a")).toBeUndefined();
    stage.world.pass(1000);
    expect(stage.unfinished).toEqual([]);
    // All room is given back.
    const all = Array.from({ length: CHUNKS_IN_FLIGHT }, () => stage.cluster.window.take());
    stage.run(Promise.all(all));
  });

  test("whose pieces are lost with both their servers", () => {
    const stage = new Stage();
    let isKilled = false;
    const lossy = partsOf(LARGE, [100_000], (sent) => {
      if (isKilled || sent < STRIPE + 100_000) return;
      isKilled = true;
      for (const slot of [0, 1, 2]) stage.kill(slot);
    });
    const error = stage.run(rejectionOf("putFailed", stage.begin("a", lossy)));
    expect(error.message).toContain("nothing was changed");
  });
});

test("a stream is read a few stripes ahead of what servers have, and no further", () => {
  const stage = new Stage();
  let [read, sent] = [0, 0];
  let most = 0;
  const bytes = contentOf(3, 40 * STRIPE);
  const stream = {
    bytes: partsOf(bytes, [CHUNK_BYTES], (now) => {
      read = now;
      most = Math.max(most, read - sent);
    }),
    attributes: NO_ATTRIBUTES,
  };
  const progress = (more: number): void => void (sent += more);
  stage.run(putStream(stage.cluster, named("a"), stream, { layout: layoutOf("pairs"), progress }));
  expect(sent).toBe(bytes.length);
  expect(most).toBeLessThanOrEqual((CHUNKS_IN_FLIGHT + 2) * STRIPE);
});
