/** Streams: what is stored of them, on which servers, and how it is read and mended. */
import { named } from "../harness/named.ts";
import { describe, expect, test } from "bun:test";
import { readName } from "../../src/client/agree/register.ts";
import { repairAll } from "../../src/client/care/repair.ts";
import { verifyAll } from "../../src/client/care/verify.ts";
import type { Sink } from "../../src/client/fetch/sink.ts";
import { get } from "../../src/client/files/get.ts";
import { copy } from "../../src/client/files/link.ts";
import { put } from "../../src/client/files/put.ts";
import { putStream } from "../../src/client/files/put_stream.ts";
import { stat } from "../../src/client/files/stat.ts";
import { openStored } from "../../src/client/files/stored_source.ts";
import { drainServer } from "../../src/client/members/members.ts";
import { NO_ATTRIBUTES } from "../../src/file/attributes.ts";
import { layoutOf } from "../../src/file/layout.ts";
import { pieceBytes } from "../../src/file/split.ts";
import { CHUNK_BYTES } from "../../src/limits.ts";
import { rejectionOf } from "../harness/thrown.ts";
import { contentOf } from "../sim/contents.ts";
import { LARGE, partsOf, Stage, STRIPE } from "./stream_stage.ts";

const LAYOUTS = ["pairs", "rs:2+2"];
const drain = async (of: AsyncIterable<unknown>): Promise<unknown[]> => Array.fromAsync(of);

const EDGES = [0, 1, CHUNK_BYTES, STRIPE - 1, STRIPE, STRIPE + 1, 3 * STRIPE - 1, 3 * STRIPE];

describe.each([
  ["in the open", null],
  ["sealed", new Uint8Array(32).fill(5)],
])("a stream %s", (_, secret) => {
  test.each(LAYOUTS)("of any length comes back as it was, in %s", (layout) => {
    const stage = new Stage(secret);
    for (const [i, length] of [...EDGES, LARGE.length].entries()) {
      const bytes = contentOf(i + 1, length);
      stage.put("a", bytes, layout);
      for (const inOrder of [false, true]) expect(stage.get("a", inOrder)).toEqual(bytes);
      const version = stage.versionOf("a");
      expect(version).toMatchObject({
        seq: i + 1,
        striped: length >= STRIPE || layout !== "pairs",
      });
      expect(new Set(stage.copiesOf("a"))).toEqual(new Set([layout === "pairs" ? 2 : 1]));
    }
  });

  test.each(LAYOUTS)("in %s has all copies where a server is lost on the way", (layout) => {
    for (const [i, at] of [1, STRIPE, 2 * STRIPE, LARGE.length].entries()) {
      const stage = new Stage(secret);
      let isKilled = false;
      stage.put("a", LARGE, layout, (sent) => {
        if (isKilled || sent < at) return;
        isKilled = true;
        stage.kill(i);
      });
      stage.world.pass(1000);
      expect(Math.min(...stage.copiesOf("a"))).toBe(layout === "pairs" ? 2 : 1);
      expect(stage.get("a")).toEqual(LARGE);
      expect(stage.unfinished).toEqual([]);
    }
  });
});

test("a stream in pairs is striped: its pieces have a chunk of each stripe", () => {
  const stage = new Stage();
  stage.put("a", LARGE);
  const version = stage.versionOf("a");
  expect(version).toMatchObject({ pieces: 4, needed: 4, copies: 2, striped: true });
  const lengths = [0, 1, 2, 3].map((piece) => version && pieceBytes(version, piece));
  const last = [17_501, 17_500, 17_500, 17_500];
  expect(lengths).toEqual(last.map((length) => 3 * CHUNK_BYTES + length));
  expect(stage.run(stat(stage.client(), named("a")))).toMatchObject({
    layout: "pairs",
    striped: true,
  });
});

test.each([
  [0, 1],
  [STRIPE - 1, 2],
  [CHUNK_BYTES - 3, 6],
  [2 * STRIPE + 5, 100_000],
  [3 * STRIPE, 70_001],
])("of a stream a range from %d on of %d bytes is had", (offset, length) => {
  const stage = new Stage();
  stage.put("a", LARGE);
  const parts: Uint8Array[] = [];
  const sink: Sink = {
    inOrder: true,
    open: async () => {},
    write: async (bytes) => void parts.push(bytes.slice()),
  };
  stage.run(get(stage.client(), named("a"), sink, { range: { offset, length } }));
  expect(Buffer.concat(parts)).toEqual(Buffer.from(LARGE.subarray(offset, offset + length)));
});

test("a stream is read, copied and repaired while a server is down, and verifies", () => {
  const stage = new Stage();
  stage.put("a", LARGE);
  stage.kill(1);
  stage.world.pass(1000);
  expect(stage.get("a", true)).toEqual(LARGE);
  stage.run(copy(stage.client(), named("a"), named("b")));
  expect(stage.copiesOf("b")).toEqual([2, 2, 2, 2]);
  stage.servers.first[1]?.start();
  stage.world.pass(1000);
  stage.run(drain(repairAll(stage.client(), "", { dryRun: false, orphanAge: 0 })));
  for (const name of ["a", "b"]) {
    expect(stage.copiesOf(name)).toEqual([2, 2, 2, 2]);
    expect(stage.get(name)).toEqual(LARGE);
  }
  for (const verified of stage.run(
    drain(verifyAll(stage.client(), [named("a"), named("b")], { sample: 1 })),
  ))
    expect(verified).toMatchObject({ copies: 8, bad: [], missing: [], isReadable: true });
});

test("a stream has all copies where a disk fills up on the way", () => {
  const stage = new Stage();
  stage.put("a", LARGE, "pairs", (sent) => {
    const disk = stage.servers.first[2]?.disk;
    if (disk && sent > STRIPE + 300_000) disk.capacityBytes = disk.usedBytes;
  });
  expect(stage.copiesOf("a")).toEqual([2, 2, 2, 2]);
  expect(stage.get("a")).toEqual(LARGE);
  expect(stage.unfinished).toEqual([]);
});

test.each([10, 2 * STRIPE])(
  "a stream is whole, and can lose a server, where one leaves the cluster after %d bytes of it",
  (at) => {
    const stage = new Stage();
    const other = stage.client();
    async function* parts(): AsyncGenerator<Uint8Array> {
      yield LARGE.subarray(0, at);
      await drainServer(other, 3);
      // The client learns of it meanwhile.
      await readName(stage.cluster, stage.cluster.space.stored(named("b")));
      yield LARGE.subarray(at);
    }
    stage.run(stage.begin("a", parts()));
    expect(stage.versionOf("a")).toMatchObject({ pieces: 4, copies: 2, striped: true });
    expect(stage.get("a")).toEqual(LARGE);
    for (const slot of [3, 0]) stage.kill(slot);
    stage.world.pass(1000);
    expect(stage.get("a")).toEqual(LARGE);
  },
);

test("a stream that is stored is read at any offset, as what is put again", () => {
  const stage = new Stage();
  stage.put("a", LARGE);
  const { source, version } = stage.run(openStored(stage.client(), named("a")));
  expect(version.striped).toBe(true);
  for (const at of [0, 1, CHUNK_BYTES - 1, STRIPE - 1, 2 * STRIPE + 77, LARGE.length - 300_000]) {
    const into = new Uint8Array(300_000);
    stage.run(source.read(into, at));
    expect(Buffer.compare(into, LARGE.subarray(at, at + into.length))).toBe(0);
  }
  const how = { layout: layoutOf("pairs"), placement: "name" } as const;
  stage.run(put(stage.cluster, named("a"), source, { ...how, condition: { vid: version.vid } }));
  expect(stage.versionOf("a")).toMatchObject({ striped: false, seq: 2 });
  expect(stage.get("a")).toEqual(LARGE);
});

test("of two who put where nothing is, one as a stream, one wins", () => {
  const stage = new Stage();
  stage.put("a", LARGE);
  const stream = { bytes: partsOf(LARGE, [100_000]), attributes: NO_ATTRIBUTES };
  const how = { layout: layoutOf("pairs"), condition: { vid: null } };
  stage.run(rejectionOf("conflict", putStream(stage.cluster, named("a"), stream, how)));
  expect(stage.versionOf("a")).toMatchObject({ seq: 1 });
});

test("a damaged block of a stream is had from another copy, and repaired", () => {
  const stage = new Stage();
  stage.put("a", LARGE);
  const { cid } = stage.versionOf("a") ?? {};
  const [first] = stage.servers.first;
  const [path = ""] = [...(first?.disk.files().keys() ?? [])].filter((one) =>
    one.includes(`${cid}.`),
  );
  first?.disk.flip(path, CHUNK_BYTES + 5);
  const verified = stage.run(drain(verifyAll(stage.client(), [named("a")], { sample: 1 })));
  expect(verified).toMatchObject([{ bad: [{ slot: 0 }], isReadable: true }]);
  expect(stage.get("a")).toEqual(LARGE);
  stage.run(drain(repairAll(stage.client(), "", { dryRun: false, orphanAge: 0 })));
  expect(stage.copiesOf("a")).toEqual([2, 2, 2, 2]);
});
