/**
 * What a store's copying is compared with: a file over one TCP connection of this machine, by a process on each side, written
 * and fsynced at the other end, or just read there. `plain_copy.ts receive BYTES [PATH]` prints its port; `plain_copy.ts send PATH
 * PORT TIMES` prints the seconds from connecting to hearing that all has arrived.
 */
import { closeSync, fsyncSync, openSync, readSync, writeSync } from "node:fs";

const CHUNK_BYTES = 1024 * 1024;

function receive(bytes: number, path: string | undefined): void {
  const file = path === undefined ? null : openSync(path, "w");
  let got = 0;
  const { port } = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket, part) {
        if (file !== null) for (let at = 0; at < part.length;) at += writeSync(file, part, at);
        got += part.length;
        if (got < bytes) return;
        if (file !== null) {
          fsyncSync(file);
          closeSync(file);
        }
        socket.write("arrived");
      },
      close: () => process.exit(got === bytes ? 0 : 1),
    },
  });
  console.log(port);
}

async function send(path: string, port: number, times: number): Promise<void> {
  const file = openSync(path, "r");
  const chunk = new Uint8Array(CHUNK_BYTES);
  let [have, sent, offset, rounds] = [0, 0, 0, 1];
  /** Is there no more to send? */
  const isOver = (): boolean => {
    if (sent < have) return false;
    [have, sent] = [readSync(file, chunk, 0, chunk.length, offset), 0];
    offset += have;
    if (have > 0) return false;
    if (rounds === times) return true;
    [rounds, offset] = [rounds + 1, 0];
    return isOver();
  };
  const goOn = (socket: Bun.Socket): void => {
    while (!isOver()) {
      const taken = socket.write(chunk, sent, have - sent);
      if (taken <= 0) return;
      sent += taken;
    }
  };
  const arrived = Promise.withResolvers<void>();
  const begun = performance.now();
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      open: goOn,
      drain: goOn,
      data: () => arrived.resolve(),
      close: () => arrived.reject(new Error("the receiver is gone")),
    },
  });
  await arrived.promise;
  console.log((performance.now() - begun) / 1000);
  socket.end();
}

/** One copy of a file of so many bytes, durable at the other end, by two processes; returns its seconds. */
export const plainCopy = (from: string, to: string, bytes: number): Promise<number> =>
  transfer(from, 1, ["receive", String(bytes), to]);

/** The same bytes over the same connection, so many times, and no disk at the other end. */
export const loopback = (from: string, bytes: number, times: number): Promise<number> =>
  transfer(from, times, ["receive", String(times * bytes)]);

async function transfer(from: string, times: number, receiving: string[]): Promise<number> {
  const start = (...args: string[]) =>
    Bun.spawn([process.execPath, import.meta.path, ...args], {
      stdio: ["ignore", "pipe", "inherit"],
    });
  const receiver = start(...receiving);
  const { value } = await receiver.stdout.getReader().read();
  const port = new TextDecoder().decode(value).trim();
  const sender = start("send", from, port, String(times));
  const seconds = Number(await new Response(sender.stdout).text());
  if ((await sender.exited) + (await receiver.exited) !== 0)
    throw new Error("the plain copy failed");
  return seconds;
}

if (import.meta.main) {
  const [what, ...rest] = process.argv.slice(2);
  if (what === "receive") receive(Number(rest[0]), rest[1]);
  else await send(rest[0] ?? "", Number(rest[1]), Number(rest[2]));
}
