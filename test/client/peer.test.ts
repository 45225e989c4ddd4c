/** A connection to one server, over the simulated network. */
import { expect, test } from "bun:test";
import { openCluster } from "../../src/client/members/open.ts";
import { PROGRESS_MS } from "../../src/limits.ts";
import { SimCluster } from "../sim/cluster.ts";
import { CALM } from "../sim/weather.ts";
import { World } from "../sim/world.ts";
import type { StoredName } from "../../src/file/names.ts";

test("a question that cannot be said is the asker's error, and nobody waits for its answer", () => {
  const world = new World(1);
  const servers = new SimCluster(world, 3, 0, () => {});
  servers.net.weather = CALM;
  for (const server of servers.servers) server.start();
  world.pass(1000);
  const options = { user: "", login: null, warn: () => {} };
  const cluster = world.finish(openCluster(servers.client().ports, servers.addresses, options));
  const asking = cluster.call(0, "read", { name: "x".repeat(30_000) as StoredName, asked: [] });
  expect(() => world.finish(asking)).toThrow("at most");
  world.pass(2 * PROGRESS_MS);
  expect(cluster.live).toEqual([0, 1, 2]);
});
