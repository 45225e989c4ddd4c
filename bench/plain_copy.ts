/**
 * What a store's copying is compared with: a file over one TCP connection of this machine, written and fsynced at the other
 * end, by a process on each side. `plain_copy.ts receive PATH BYTES` prints its port; `plain_copy.ts send PATH PORT` prints
 * the seconds from connecting to hearing that all is durable.
 */
import { closeSync, fsyncSync, openSync, readSync, writeSync } from "node:fs";

const CHUNK_BYTES = 1024 * 1024;

function receive(path: string, bytes: number): void {
  const file = openSync(path, "w");
  let got = 0;
  const { port } = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket, part) {
        for (let at = 0; at < part.length;) at += writeSync(file, part, at);
        got += part.length;
        if (got < bytes) return;
        fsyncSync(file);
        closeSync(file);
        socket.write("durable");
      },
      close: () => process.exit(got === bytes ? 0 : 1),
    },
  });
  console.log(port);
}

async function send(path: string, port: number): Promise<void> {
  const file = openSync(path, "r");
  const chunk = new Uint8Array(CHUNK_BYTES);
  let [have, sent] = [0, 0];
  const goOn = (socket: Bun.Socket): void => {
    for (;;) {
      if (sent === have) {
        [have, sent] = [readSync(file, chunk), 0];
        if (have === 0) return;
      }
      const taken = socket.write(chunk, sent, have - sent);
      if (taken <= 0) return;
      sent += taken;
    }
  };
  const durable = Promise.withResolvers<void>();
  const begun = performance.now();
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      open: goOn,
      drain: goOn,
      data: () => durable.resolve(),
      close: () => durable.reject(new Error("the receiver is gone")),
    },
  });
  await durable.promise;
  console.log((performance.now() - begun) / 1000);
  socket.end();
}

/** One copy in the folder `home`, by two processes; returns its seconds. */
export async function plainCopy(from: string, to: string, bytes: number): Promise<number> {
  const start = (...args: string[]) =>
    Bun.spawn([process.execPath, import.meta.path, ...args], {
      stdio: ["ignore", "pipe", "inherit"],
    });
  const receiver = start("receive", to, String(bytes));
  const { value } = await receiver.stdout.getReader().read();
  const sender = start("send", from, new TextDecoder().decode(value).trim());
  const seconds = Number(await new Response(sender.stdout).text());
  if ((await sender.exited) + (await receiver.exited) !== 0)
    throw new Error("the plain copy failed");
  return seconds;
}

if (import.meta.main) {
  const [what, path = "", number] = process.argv.slice(2);
  if (what === "receive") receive(path, Number(number));
  else await send(path, Number(number));
}
