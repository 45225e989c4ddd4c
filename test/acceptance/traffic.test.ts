/** How many bytes a put and a get move: as they report, and as the kernel counts them on a loopback of their own. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { executable, newFolder, removeFolders } from "../harness/program.ts";
import { OwnNetwork } from "./own_network.ts";
import { type ServerProcess, Stage } from "../harness/stage.ts";

setDefaultTimeout(120_000);

const BYTES = 64 * 1024 * 1024;
/** What the kernel adds: headers of packets of up to 64 KiB, and acknowledgements. */
const HEADERS = 1.02;

interface Moved {
  readonly sent: number;
  readonly received: number;
}

const network = await OwnNetwork.open();
const content = randomBytes(BYTES);
const home = newFolder();
const file = join(home, "file");
let stage: Stage;

beforeAll(async () => {
  stage = await Stage.open(4, { launcher: network?.launcher ?? [] });
  writeFileSync(file, content);
  // The first client makes the cluster; the others find one.
  await client("put", "--name", "first", stage.config);
});
afterAll(async () => {
  await stage.close();
  await network?.close();
  removeFolders();
});

/** Runs a client where the servers are: what it says it moved, and the bytes over the loopback meanwhile. */
async function client(...args: string[]): Promise<{ said: Moved; counted: number }> {
  const before = network?.bytes ?? 0;
  const child = Bun.spawn([...(network?.launcher ?? []), executable, ...args, "--json"], {
    cwd: home,
    env: { PATH: process.env.PATH ?? "", HOME: home, DFS_CONFIG: stage.config },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [out, status] = await Promise.all([new Response(child.stdout).text(), child.exited]);
  expect(status).toBe(0);
  const { traffic } = JSON.parse(out) as { traffic: Moved };
  return { said: traffic, counted: (network?.bytes ?? 0) - before };
}

function checkCounted({ said, counted }: { said: Moved; counted: number }): void {
  if (!network) return;
  const all = said.sent + said.received;
  expect(counted).toBeGreaterThanOrEqual(all);
  expect(counted).toBeLessThan(all * HEADERS + 100_000);
}

describe(network ? "counted by the kernel too" : "only as reported: no network of its own", () => {
  test("a put sends at most 2.01 times the file", async () => {
    const put = await client("put", file);
    expect(put.said.sent).toBeWithin(2 * BYTES, 2.01 * BYTES);
    expect(put.said.received).toBeLessThan(0.01 * BYTES);
    checkCounted(put);
    console.log(`put: ${said(put)}`);
  });

  test("a get receives at most 1.01 times the file", async () => {
    const got = await client("get", "file", "-o", "back");
    expect(readFileSync(join(home, "back")).equals(content)).toBe(true);
    expect(got.said.received).toBeWithin(BYTES, 1.01 * BYTES);
    expect(got.said.sent).toBeLessThan(0.01 * BYTES);
    checkCounted(got);
    console.log(`get: ${said(got)}`);
  });

  test.each([0, 1, 2, 3])("and so it does without server %i of 0..3", async (slot) => {
    await stage.without([slot], async () => {
      const got = await client("get", "file", "-o", "back");
      expect(readFileSync(join(home, "back")).equals(content)).toBe(true);
      expect(got.said.received).toBeWithin(BYTES, 1.01 * BYTES);
      checkCounted(got);
    });
  });

  test.skipIf(process.platform !== "linux")("each server reads its quarter for a get", async () => {
    const before = stage.servers.map(bytesRead);
    await client("get", "file", "-o", "back");
    for (const [slot, server] of stage.servers.entries()) {
      const parts = (bytesRead(server) - (before[slot] ?? 0)) / (BYTES / 4);
      expect(parts).toBeWithin(1, 1.05);
    }
  });
});

/** Bytes that a server has read from files so far; what comes from sockets does not count. */
function bytesRead({ pid }: ServerProcess): number {
  return Number(/^rchar: (\d+)/m.exec(readFileSync(`/proc/${pid}/io`, "utf8"))?.[1]);
}

const said = ({ said: { sent, received }, counted }: { said: Moved; counted: number }): string =>
  `sent ${(sent / BYTES).toFixed(4)} x, received ${(received / BYTES).toFixed(4)} x, ` +
  `counted by the kernel ${(counted / BYTES).toFixed(4)} x`;
