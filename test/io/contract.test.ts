/**
 * The contract of the ports, on the real ones and on the simulated ones, over many seeds; and that of the net over TLS.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newCertificate } from "../../src/server/process/certificate.ts";
import { bunClock, bunNet, bunRandom } from "../../src/io/bun.ts";
import { bunDisk } from "../../src/io/bun_disk.ts";
import type { Certificate } from "../../src/io/ports.ts";
import { SimDisk } from "../sim/disk.ts";
import { SimNet } from "../sim/net.ts";
import { simRandom } from "../sim/random.ts";
import { World } from "../sim/world.ts";
import { portsContract } from "./contract.ts";
import type { Harness } from "./harness.ts";
import { netContract } from "./net_contract.ts";
import { silentServer } from "./silent_server.ts";

const SEEDS = 25;

const real = (name: string, certificate: Certificate | null): Harness => ({
  name,
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
        certificate,
        host: "127.0.0.1",
        silent: silentServer,
      });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
});

const simulated = (name: string, certificate: Certificate | null): Harness => ({
  name,
  async run(body) {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const world = new World(seed);
      const net = new SimNet(world);
      // What is lost is said by the test that is about it.
      net.weather = { ...net.weather, lostChance: 0 };
      const [server, client] = [world.machine("server"), world.machine("client")];
      net.cutLink("client", "lost");
      const listening = net.of(world.machine("lost")).listen("", 9, () => {}, null);
      const disk = new SimDisk(world, "server").of(server);
      const ports = {
        clock: world.clock(server),
        random: simRandom(world.rng.fork("random")),
        disk,
        folder: "/dfs/test",
        serverNet: net.of(server),
        clientNet: net.of(client),
        certificate,
        host: "server",
        silent: async () => {
          await listening;
          return { host: "lost", port: 9, wake: () => net.healLink("client", "lost"), end() {} };
        },
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

const certificate = await newCertificate();
portsContract(real("real", null));
netContract(real("real, TLS", certificate));
portsContract(simulated("simulated", null));
netContract(simulated("simulated, TLS", certificate));
