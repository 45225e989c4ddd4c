/** A network with an end: a client is told of all servers by those that it meets, and is not to reach the others all the same. */
import type { ServerAddress } from "../../src/membership.ts";
import { DfsError } from "../../src/errors.ts";
import { bunNet } from "../../src/io/bun.ts";
import type { Net } from "../../src/io/ports.ts";

/** The real network, as far as these addresses. */
export const netTo = (servers: readonly ServerAddress[]): Net => ({
  ...bunNet,
  connect: (host, port, ms, secure) =>
    servers.some((one) => one.host === host && one.port === port)
      ? bunNet.connect(host, port, ms, secure)
      : Promise.reject(new DfsError("down", `${host}:${port} is out of reach`)),
});
