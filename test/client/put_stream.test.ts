/** Streams: what is stored of them, on which servers, and what becomes of those that fail. */
import { describe, expect, test } from "bun:test";
import { unlock } from "../../src/client/agree/unlock.ts";
import { readName } from "../../src/client/agree/register.ts";
import { repairAll } from "../../src/client/care/repair.ts";
import { verifyAll } from "../../src/client/care/verify.ts";
import type { Cluster } from "../../src/client/connect/cluster.ts";
import { get } from "../../src/client/files/get.ts";
import { copy } from "../../src/client/files/link.ts";
import { putStream } from "../../src/client/files/put_stream.ts";
import { stat } from "../../src/client/files/stat.ts";
import { openCluster } from "../../src/client/members/open.ts";
import { DfsError } from "../../src/errors.ts";
import { NO_ATTRIBUTES } from "../../src/file/attributes.ts";
import { layoutOf } from "../../src/file/layout.ts";
import { pieceBytes } from "../../src/file/split.ts";
import { CHUNK_BYTES, CHUNKS_IN_FLIGHT } from "../../src/limits.ts";
import { openerOf } from "../harness/secret.ts";
import { rejectionOf } from "../harness/thrown.ts";
import { SimCluster } from "../sim/cluster.ts";
import { contentOf, memorySink } from "../sim/contents.ts";
import { memory } from "../sim/sealing.ts";
import { CALM } from "../sim/weather.ts";
import { World } from "../sim/world.ts";

const STRIPE = 4 * CHUNK_BYTES;
const LARGE = contentOf(1, 3 * STRIPE + 70_001);
const LAYOUTS = ["pairs", "rs:2+2"];

/** The bytes in parts of these lengths in turn; `after` is called after each so many bytes. */
async function* partsOf(
  bytes: Uint8Array,
  lengths: readonly number[],
  after: (sent: number) => void = () => {},
): AsyncGenerator<Uint8Array> {
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const length = lengths[turn % lengths.length] ?? 0;
    yield bytes.subarray(at, at + length);
    at += length;
    after(Math.min(at, bytes.length));
  }
}

/** Four servers in calm weather, and a client. */
class Stage {
  readonly world = new World(1);
  readonly servers = new SimCluster(this.world, 4, 0, () => {});
  readonly #secret: Uint8Array | null;
  readonly #memory = memory();
  readonly cluster: Cluster;

  constructor(secret: Uint8Array | null = null) {
    this.#secret = secret;
    this.servers.net.weather = CALM;
    for (const server of this.servers.servers) server.start();
    this.world.pass(1000);
    this.cluster = this.client();
  }

  client(): Cluster {
    const { ports } = this.servers.client();
    const options = { user: "", login: null, warn: () => {} };
    const cluster = this.run(openCluster(ports, this.servers.addresses, options));
    const opener = this.#secret && openerOf(this.#secret);
    return opener ? this.run(unlock(cluster, opener, this.#memory)) : cluster;
  }

  run<T>(work: Promise<T>): T {
    return this.world.finish(work);
  }

  begin(name: string, bytes: AsyncIterable<Uint8Array>, layout = "pairs") {
    const stream = { bytes, attributes: NO_ATTRIBUTES };
    return putStream(this.cluster, name, stream, { layout: layoutOf(layout) });
  }

  put(name: string, bytes: Uint8Array, layout = "pairs", after?: (sent: number) => void): void {
    this.run(this.begin(name, partsOf(bytes, [100_000, 0, 33_333], after), layout));
  }

  get(name: string, inOrder = false, range?: { offset: number; length: number }): Uint8Array {
    const sink = memorySink(inOrder);
    this.run(get(this.client(), name, sink, range ? { range } : {}));
    return sink.data;
  }

  versionOf(name: string) {
    return this.run(readName(this.client(), this.cluster.space.stored(name))).current?.version;
  }

  /** For each piece of a file, the number of servers that hold it. */
  copiesOf(name: string): number[] {
    return this.run(stat(this.client(), name)).pieces.map(({ servers }) => servers.length);
  }

  kill(slot: number): void {
    this.servers.first[slot]?.kill(false);
  }

  /** The files that servers which are up have of pieces on their way. */
  get unfinished(): string[] {
    return this.servers.servers.flatMap(({ isUp, disk }) =>
      isUp ? [...disk.files().keys()].filter((path) => path.includes("/tmp/")) : [],
    );
  }
}

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
  expect(stage.run(stat(stage.client(), "a"))).toMatchObject({ layout: "pairs", striped: true });
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
  const sink = memorySink(true);
  const whole = { ...sink, data: new Uint8Array(LARGE.length) };
  const parts: Uint8Array[] = [];
  whole.open = async () => {};
  whole.write = async (bytes) => void parts.push(bytes.slice());
  stage.run(get(stage.client(), "a", whole, { range: { offset, length } }));
  expect(Buffer.concat(parts)).toEqual(Buffer.from(LARGE.subarray(offset, offset + length)));
});

test("a stream is read, copied and repaired while a server is down, and verifies", () => {
  const stage = new Stage();
  stage.put("a", LARGE);
  stage.kill(1);
  stage.world.pass(1000);
  expect(stage.get("a", true)).toEqual(LARGE);
  stage.run(copy(stage.client(), "a", "b"));
  expect(stage.copiesOf("b")).toEqual([2, 2, 2, 2]);
  stage.servers.first[1]?.start();
  stage.world.pass(1000);
  stage.run(drain(repairAll(stage.client(), "", { dryRun: false, orphanAge: 0 })));
  for (const name of ["a", "b"]) {
    expect(stage.copiesOf(name)).toEqual([2, 2, 2, 2]);
    expect(stage.get(name)).toEqual(LARGE);
  }
  for (const verified of stage.run(drain(verifyAll(stage.client(), ["a", "b"], { sample: 1 }))))
    expect(verified).toMatchObject({ copies: 8, bad: [], missing: [], isReadable: true });
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
  const verified = stage.run(drain(verifyAll(stage.client(), ["a"], { sample: 1 })));
  expect(verified).toMatchObject([{ bad: [{ slot: 0 }], isReadable: true }]);
  expect(stage.get("a")).toEqual(LARGE);
  stage.run(drain(repairAll(stage.client(), "", { dryRun: false, orphanAge: 0 })));
  expect(stage.copiesOf("a")).toEqual([2, 2, 2, 2]);
});

describe("of a stream nothing is stored", () => {
  test.each([10, STRIPE + 10, 2 * STRIPE])("that fails after %d bytes", (most) => {
    const stage = new Stage();
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield LARGE.subarray(0, most);
      throw new DfsError("failed", "the source broke");
    }
    stage.run(rejectionOf("failed", stage.begin("a", failing())));
    expect(stage.versionOf("a")).toBeUndefined();
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

  test("that has a name that cannot be; and none of it is read", () => {
    const stage = new Stage();
    let isRead = false;
    const parts = partsOf(LARGE, [1], () => (isRead = true));
    stage.run(rejectionOf("usage", stage.begin("a\u0000b", parts)));
    expect(isRead).toBe(false);
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
  stage.run(putStream(stage.cluster, "a", stream, { layout: layoutOf("pairs"), progress }));
  expect(sent).toBe(bytes.length);
  expect(most).toBeLessThanOrEqual((CHUNKS_IN_FLIGHT + 2) * STRIPE);
});
