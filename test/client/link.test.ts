/** Copies, moves and new versions of one content: whose pieces count, whose need not, and what is not deleted. */
import { inMemory } from "../../src/client/send/source.ts";
import { inStore, named } from "../harness/named.ts";
import { attributesOf, knownIn, NO_ATTRIBUTES } from "../../src/file/attributes.ts";
import { describe, expect, test } from "bun:test";
import { readName, settle } from "../../src/client/agree/register.ts";
import type { Cluster, Round } from "../../src/client/connect/cluster.ts";
import { pause } from "../../src/client/connect/pause.ts";
import { get } from "../../src/client/files/get.ts";
import { changeAttributes, copy, move } from "../../src/client/files/link.ts";
import { remove } from "../../src/client/files/remove.ts";
import { makeFolder, put } from "../../src/client/files/put.ts";
import { stat } from "../../src/client/files/stat.ts";
import { openCluster } from "../../src/client/members/open.ts";
import { layoutOf } from "../../src/file/layout.ts";
import type { Version } from "../../src/version.ts";
import type { AddressedKind } from "../../src/wire/messages.ts";
import { rejectionOf } from "../harness/thrown.ts";
import { SimCluster, TRASH_GRACE_MS } from "../sim/cluster.ts";
import { contentOf, memorySink } from "../sim/contents.ts";
import { CALM } from "../sim/weather.ts";
import { World } from "../sim/world.ts";

const LARGE = contentOf(1, 400_000);
const SMALL = contentOf(2, 500);
const EMPTY = contentOf(3, 0);

const HOW = { layout: layoutOf("pairs"), placement: "name" } as const;
const LOOK_MS = 100_000;

/** Four servers in calm weather, and a client. */
class Stage {
  readonly world = new World(1);
  readonly servers = new SimCluster(this.world, 4, 0, () => {});
  readonly cluster: Cluster;

  constructor() {
    this.servers.net.weather = CALM;
    for (const server of this.servers.servers) server.start();
    this.world.pass(1000);
    this.cluster = this.client();
  }

  client(): Cluster {
    const { ports } = this.servers.client();
    const options = { user: "", login: null, warn: () => {} };
    return this.run(openCluster(ports, this.servers.addresses, options));
  }

  run<T>(work: Promise<T>): T {
    return this.world.finish(work);
  }

  put(name: string, bytes: Uint8Array, layout = "pairs"): void {
    this.run(put(this.cluster, named(name), inMemory(bytes), { ...HOW, layout: layoutOf(layout) }));
  }

  get(name: string): Uint8Array {
    const sink = memorySink(false);
    this.run(get(this.client(), named(name), sink, {}));
    return sink.data;
  }

  versionOf(name: string): Version | null {
    return this.run(readName(this.client(), inStore(name))).current?.version ?? null;
  }

  /** The bytes that this sends. */
  sent(work: () => Promise<unknown>): number {
    const { sent } = this.cluster.traffic;
    this.run(work());
    return this.cluster.traffic.sent - sent;
  }

  /** For each piece of a file the number of servers that hold it for this name. */
  copiesOf(name: string): number[] {
    return this.run(stat(this.client(), named(name))).pieces.map(({ servers }) => servers.length);
  }
}

type AnyRound = Round<AddressedKind>;
type Ask = (kind: AddressedKind, ...more: unknown[]) => Promise<AnyRound>;

/** From now on questions of this kind go through `work`. */
function around(
  cluster: Cluster,
  kind: AddressedKind,
  work: (ask: () => Promise<AnyRound>) => Promise<AnyRound>,
): void {
  const ask = cluster.ask.bind(cluster) as Ask;
  const through: Ask = (asked, ...more) => {
    const go = (): Promise<AnyRound> => ask(asked, ...more);
    return asked === kind ? work(go) : go();
  };
  cluster.ask = through;
}

/** Runs `meanwhile` before the question of this kind that is the `count`-th from now on. */
function before(
  cluster: Cluster,
  kind: AddressedKind,
  count: number,
  meanwhile: () => Promise<unknown>,
): void {
  let left = count;
  around(cluster, kind, async (ask) => {
    if (--left === 0) await meanwhile();
    return ask();
  });
}

describe("a copy", () => {
  test.each([
    ["large, in pairs", LARGE, "pairs"],
    ["small", SMALL, "pairs"],
    ["empty", EMPTY, "pairs"],
    ["large, with parity", LARGE, "rs:2+2"],
  ])("%s, has the content of the original, and its homes", (_, bytes, layout) => {
    const stage = new Stage();
    stage.put("a", bytes, layout);
    expect(stage.sent(() => copy(stage.cluster, named("a"), named("b")))).toBeLessThan(10_000);
    const [a, b] = [stage.versionOf("a"), stage.versionOf("b")];
    expect(b).toMatchObject({ seq: 1, cid: a?.cid, ring: a?.ring, body: a?.body });
    expect(b?.vid).not.toBe(a?.vid);
    expect(stage.copiesOf("b")).toEqual(stage.copiesOf("a"));
    expect(stage.get("b")).toEqual(bytes);
  });

  test.each([
    ["large", LARGE],
    ["small", SMALL],
    ["empty", EMPTY],
  ])(
    "%s, is not chosen before it has all its copies: they are sent where some lack",
    (_, bytes) => {
      const stage = new Stage();
      stage.put("a", bytes);
      const [, away] = stage.servers.first;
      away?.kill(false);
      stage.world.pass(1000);
      // Half of the pieces have one copy left.
      const share = bytes.length / 2;
      expect(stage.sent(() => copy(stage.cluster, named("a"), named("b")))).toBeGreaterThanOrEqual(
        share,
      );
      expect(stage.copiesOf("b")).toEqual([2, 2, 2, 2]);
      expect(stage.get("b")).toEqual(bytes);
    },
  );

  /** The original is replaced or deleted once it was looked up, and servers let its content go. */
  function losing(stage: Stage, meanwhile: (other: Cluster) => Promise<unknown>): void {
    const other = stage.client();
    before(stage.cluster, "prepare", 1, async () => {
      await meanwhile(other);
      // Who asks now and then keeps its connections.
      for (let passed = 0; passed < TRASH_GRACE_MS + LOOK_MS; passed += LOOK_MS) {
        await pause(other, LOOK_MS);
        await readName(stage.cluster, inStore("a"));
      }
    });
  }

  test("whose original is replaced meanwhile, and its content gone, is one of the new original", () => {
    const stage = new Stage();
    stage.put("a", LARGE);
    losing(stage, (other) => put(other, named("a"), inMemory(SMALL), HOW));
    stage.run(copy(stage.cluster, named("a"), named("b")));
    expect(stage.get("b")).toEqual(SMALL);
  });

  test("whose original is deleted meanwhile, and its content gone, is none", () => {
    const stage = new Stage();
    stage.put("a", LARGE);
    losing(stage, (other) => remove(other, named("a")));
    stage.run(rejectionOf("noSuchName", copy(stage.cluster, named("a"), named("b"))));
    expect(stage.versionOf("b")).toBe(null);
  });

  test("of a folder is the folder's own record", () => {
    const stage = new Stage();
    stage.run(makeFolder(stage.cluster, named("a/"), NO_ATTRIBUTES));
    stage.run(copy(stage.cluster, named("a/"), named("b/")));
    expect(stage.versionOf("b/")).toMatchObject({ pieces: 0, cid: null, deleted: false });
    stage.run(rejectionOf("usage", copy(stage.cluster, named("a/"), named("b"))));
    // A file may have such a name too.
    stage.put("f/", SMALL);
    stage.run(copy(stage.cluster, named("f/"), named("g")));
    expect(stage.get("g")).toEqual(SMALL);
  });

  test("is made only where its condition holds", () => {
    const stage = new Stage();
    stage.put("a", SMALL);
    stage.put("b", LARGE);
    const only = { condition: { vid: null } };
    stage.run(rejectionOf("conflict", copy(stage.cluster, named("a"), named("b"), only)));
    expect(stage.get("b")).toEqual(LARGE);
    stage.run(copy(stage.cluster, named("a"), named("c"), only));
    expect(stage.get("c")).toEqual(SMALL);
  });
});

describe("a new version of the same content", () => {
  const touch = (cluster: Cluster, condition?: { vid: string | null }) =>
    changeAttributes(cluster, named("a"), (old) => attributesOf({ time: 7000n }, old), condition);

  test("says something else of it, and sends no byte though a home is away", () => {
    const stage = new Stage();
    stage.put("a", LARGE);
    const first = stage.versionOf("a");
    stage.servers.first[1]?.kill(false);
    stage.world.pass(1000);
    expect(stage.sent(() => touch(stage.cluster))).toBeLessThan(10_000);
    expect(stage.versionOf("a")).toMatchObject({ seq: 2, cid: first?.cid, ring: first?.ring });
    const { attributes } = stage.run(stat(stage.client(), named("a")));
    expect(knownIn(attributes).time).toBe(7000n);
    expect(stage.get("a")).toEqual(LARGE);
  });

  test("has the ring of its parent as that is by then", () => {
    const stage = new Stage();
    stage.put("a", LARGE, "rs:2+1");
    const old = stage.versionOf("a");
    const other = stage.client();
    const revise = (version: Version) => ({ ...version, ring: version.ring.toReversed() });
    // Between the look and the promises a rebalance gives the version another ring.
    before(stage.cluster, "prepare", 1, () => settle(other, inStore("a"), 0n, revise));
    stage.run(touch(stage.cluster));
    expect(stage.versionOf("a")).toMatchObject({ seq: 2, ring: old?.ring.toReversed() });
  });

  test("is made again where somebody else writes meanwhile; with a condition it is refused", () => {
    const stage = new Stage();
    stage.put("a", LARGE);
    const first = stage.versionOf("a");
    stage.put("a", SMALL);
    stage.run(rejectionOf("conflict", touch(stage.cluster, { vid: first?.vid ?? null })));
    stage.run(touch(stage.cluster));
    expect(stage.get("a")).toEqual(SMALL);
    expect(stage.versionOf("a")?.seq).toBe(3);
  });
});

describe("a move", () => {
  test("leaves the new name alone", () => {
    const stage = new Stage();
    stage.put("a", LARGE);
    stage.run(move(stage.cluster, named("a"), named("b")));
    expect(stage.versionOf("a")?.deleted).toBe(true);
    expect(stage.get("b")).toEqual(LARGE);
    stage.run(rejectionOf("usage", move(stage.cluster, named("b"), named("b"))));
  });

  test("does not delete what somebody else wrote meanwhile, and says that both are there", () => {
    const stage = new Stage();
    stage.put("a", LARGE);
    const other = stage.client();
    // The second promises are those of the deletion.
    before(stage.cluster, "prepare", 2, () => put(other, named("a"), inMemory(SMALL), HOW));
    const { message } = stage.run(
      rejectionOf("conflict", move(stage.cluster, named("a"), named("b"))),
    );
    expect(message).toContain("b is there");
    expect(message).toContain("a was changed by someone else");
    expect(stage.get("a")).toEqual(SMALL);
    expect(stage.get("b")).toEqual(LARGE);
  });

  test("deletes nothing while it is open whether the copy is there", () => {
    const stage = new Stage();
    stage.put("a", LARGE);
    // What servers answer to the copy's ACCEPT is lost.
    around(stage.cluster, "accept", async (ask) => ({ ...(await ask()), replies: new Map() }));
    stage.run(rejectionOf("open", move(stage.cluster, named("a"), named("b"))));
    expect(stage.get("a")).toEqual(LARGE);
  });
});
