/**
 * A real address that neither opens nor refuses a connection: a stopped process whose backlog is
 * full.
 */
import type { Silent } from "./harness.ts";

const LISTEN = `
  const server = require("node:net").createServer(() => {});
  server.listen(0, "127.0.0.1", () => console.log(server.address().port));
`;
const BACKLOG_MAX = 5000;
const STUCK_MS = 300;

/** Starts one; `end` takes it away again. */
export async function silentServer(): Promise<Silent> {
  const child = Bun.spawn([process.execPath, "-e", LISTEN], { stdout: "pipe" });
  const sockets: Bun.Socket[] = [];
  const end = (): void => {
    for (const socket of sockets) socket.terminate();
    child.kill("SIGKILL");
  };
  const { value } = await child.stdout.getReader().read();
  const [hostname, port] = ["127.0.0.1", Number(new TextDecoder().decode(value))];
  child.kill("SIGSTOP");
  const opens = async (): Promise<boolean> => {
    const opening = Bun.connect({ hostname, port, socket: { data() {}, connectError() {} } });
    opening.then(
      (socket) => sockets.push(socket),
      () => {},
    );
    return Promise.race([opening.then(() => true), Bun.sleep(STUCK_MS).then(() => false)]);
  };
  for (let n = 0; await opens(); n++) {
    if (n < BACKLOG_MAX) continue;
    end();
    throw new Error("this machine's backlogs never fill");
  }
  return { host: hostname, port, wake: () => child.kill("SIGCONT"), end };
}
