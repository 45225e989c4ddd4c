/** Blocks that are damaged on their way to a client: none is ever in a file with a name, nor read by anybody. */
import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Kind, ReplyOf } from "../../src/wire/messages.ts";
import { LyingServer } from "./attacker.ts";
import { Computer } from "./computer.ts";
import { removeFolders } from "../harness/program.ts";
import { expectDone, Stage } from "../harness/stage.ts";

setDefaultTimeout(120_000);

/** Text, for what a command prints is read as that. */
const content = randomBytes(3_000_000).toString("hex");
let stage: Stage;
const liars: LyingServer[] = [];
beforeAll(async () => {
  stage = await Stage.open(4, { users: null });
  await new Computer(stage.servers, "").put("large", content);
});
afterEach(() => {
  for (const liar of liars.splice(0)) liar.close();
});
afterAll(async () => {
  await stage.close();
  removeFolders();
});

/** A client for whom a bit is wrong in each chunk that these servers send, after the first `good` ones of each. */
async function computerWith(rotten: readonly number[], good: number): Promise<Computer> {
  const doors = stage.servers.map(async (server, slot) => {
    if (!rotten.includes(slot)) return server;
    let sent = 0;
    const lie = <K extends Kind>(kind: K, told: ReplyOf<K>): ReplyOf<K> => {
      if (kind !== "fetch" || ++sent <= good) return told;
      const data = new Uint8Array((told as ReplyOf<"fetch">).data);
      data[Math.floor(data.length / 2)]! ^= 4;
      return { ...told, data };
    };
    const liar = await LyingServer.before(server, lie);
    liars.push(liar);
    return liar;
  });
  return new Computer(await Promise.all(doors), "");
}

test.each([
  ["one server", [1]],
  ["two servers that hold no piece together", [0, 2]],
])("from %s: the other copies are taken", async (_, rotten) => {
  const computer = await computerWith(rotten, 1);
  const got = await computer.dfs("get", "large", "-o", "in");
  expectDone(got);
  expect(got.err).toContain("arrived damaged; trying another copy");
  expect(readFileSync(join(computer.folder, "in"), "utf8") === content).toBe(true);
  const printed = await computer.dfs("get", "large", "-o", "-");
  expectDone(printed);
  expect(printed.out === content).toBe(true);
});

test.each([0, 2])(
  "from all servers, after %d good chunks: no file, and nothing wrong is printed",
  async (good) => {
    const computer = await computerWith([0, 1, 2, 3], good);
    writeFileSync(join(computer.folder, "old"), "as it was");
    for (const path of ["in", "old"]) {
      const got = await computer.dfs("get", "large", "-o", path);
      expect(got.status).not.toBe(0);
      expect(got.err).toContain("a piece is damaged, and there is no good copy of it");
    }
    expect(readFileSync(join(computer.folder, "old"), "utf8")).toBe("as it was");
    const left = readdirSync(computer.folder).filter((name) => !name.startsWith("dfc.conf"));
    expect(left).toEqual(["old"]);
    const printed = await computer.dfs("get", "large", "-o", "-");
    expect(printed.status).not.toBe(0);
    expect(content.startsWith(printed.out)).toBe(true);
    expect(printed.out.length).toBeLessThan(content.length);
  },
);
