/** The contract of the ports, on the real ones and on the simulated ones, over many seeds. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bunClock, bunDisk, bunNet, bunRandom } from "../../src/io/bun.ts";
import { SimDisk } from "../sim/disk.ts";
import { SimNet } from "../sim/net.ts";
import { simRandom } from "../sim/random.ts";
import { World } from "../sim/world.ts";
import { portsContract } from "./contract.ts";
import { silentServer } from "./silent_server.ts";

const SEEDS = 25;

portsContract({
  name: "real",
  async run(body) {
    const folder = await mkdtemp(join(tmpdir(), "dfs-contract-"));
    try {
      await body({
        clock: bunClock,
        random: bunRandom,
        disk: bunDisk,
        folder,
        serverNet: bunNet,
        clientNet: bunNet,
        host: "127.0.0.1",
        silent: silentServer,
      });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
});

portsContract({
  name: "simulated",
  async run(body) {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const world = new World(seed);
      const net = new SimNet(world);
      const [server, client] = [world.machine("server"), world.machine("client")];
      net.cutLink("client", "lost");
      const disk = new SimDisk(world, "server").of(server);
      const ports = {
        clock: world.clock(server),
        random: simRandom(world.rng.fork("random")),
        disk,
        folder: "/dfs/test",
        serverNet: net.of(server),
        clientNet: net.of(client),
        host: "server",
        silent: () => Promise.resolve({ host: "lost", port: 9, end() {} }),
      };
      try {
        world.finish(disk.makeFolder(ports.folder).then(() => body(ports)));
      } catch (error) {
        if (error instanceof Error) error.message = `seed ${seed}: ${error.message}`;
        throw error;
      }
    }
  },
});
