/** Pieces on their way to servers, where that goes wrong. */
import { expect, test } from "bun:test";
import { openCluster } from "../../src/client/members/open.ts";
import type { Source } from "../../src/client/send/source.ts";
import { put } from "../../src/client/files/put.ts";
import { NO_ATTRIBUTES } from "../../src/file/attributes.ts";
import { layoutOf } from "../../src/file/layout.ts";
import { CHUNKS_IN_FLIGHT } from "../../src/limits.ts";
import { SimCluster } from "../sim/cluster.ts";
import { CALM } from "../sim/weather.ts";
import { World } from "../sim/world.ts";
import { asDfsError } from "../../src/errors.ts";
import { named } from "../harness/named.ts";

const BYTES = 100_000;
const NAMES = ["a", "b", "c", "d", "e", "f", "g", "h"];

/** A file that is another one each time it is read from its begin. */
function changing(): Source {
  let reads = 0;
  return {
    bytes: BYTES,
    attributes: NO_ATTRIBUTES,
    read: async (into, offset) => {
      if (offset === 0) reads++;
      into.fill(reads);
    },
  };
}

test("a file with parity that changes while it is put gives back all room that it had", () => {
  const world = new World(1);
  const servers = new SimCluster(world, 4, 0, () => {});
  servers.net.weather = CALM;
  for (const server of servers.servers) server.start();
  world.pass(1000);
  const options = { user: "", login: null, warn: () => {} };
  const cluster = world.finish(openCluster(servers.client().ports, servers.addresses, options));
  // What it does not take goes to another one, and is read anew for that.
  const [full] = servers.servers;
  if (full) full.disk.capacityBytes = full.disk.usedBytes;
  const lines = NAMES.map((name) => {
    const how = { layout: layoutOf("rs:2+1"), placement: "name" } as const;
    try {
      world.finish(put(cluster, named(name), changing(), how));
      return "done";
    } catch (error) {
      return asDfsError(error).message;
    } finally {
      const all = Array.from({ length: CHUNKS_IN_FLIGHT }, () => cluster.window.take());
      for (const buffer of world.finish(Promise.all(all))) cluster.window.giveBack(buffer);
    }
  });
  expect(lines).toContain("the file changed while it was read; nothing was changed");
});
