/**
 * Folders that are not what their servers left: put back from a backup, robbed of their log, moved, copied. Never is an old version read,
 * a deletion undone, or a condition passed over what was acknowledged, where somebody who answers knows, or this computer does.
 */
import { afterAll, afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { cpSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { newFolder, removeFolders } from "../harness/program.ts";
import { Computer, lineOf, usersFile } from "./computer.ts";
import { empty, expectDone, Stage } from "../harness/stage.ts";

setDefaultTimeout(60_000);

const stages: Stage[] = [];
afterEach(async () => {
  await Promise.all(stages.splice(0).map((stage) => stage.close()));
});
afterAll(removeFolders);

async function open(size: number): Promise<Stage> {
  const stage = await Stage.open(size);
  stages.push(stage);
  return stage;
}

/** Copies a folder's content over that of another, in place, as these programs do. */
const WAYS: readonly [string, (from: string, to: string) => void][] = [
  ["cp -a", (from, to) => sh(`cp -a "${from}/." "${to}/"`)],
  ["tar", (from, to) => sh(`tar -C "${from}" -cf - . | tar -C "${to}" --overwrite -xf -`)],
  ["dd of each file, as of a disk image", (from, to) => sh(DD, from, to)],
];
const DD = `cd "$1" && find . -type d | while read -r d; do mkdir -p "$2/$d"; done
rm -f "$2/catalog.sqlite-wal"
find . -type f | while read -r f; do dd if="$f" of="$2/$f" bs=1M conv=notrunc status=none; done`;

function sh(command: string, ...args: string[]): void {
  const { status, stderr } = spawnSync("sh", ["-c", command, "sh", ...args]);
  if (status !== 0) throw new Error(`${command}: ${String(stderr)}`);
}

/** What a client sees, in one line a question. */
async function answersOf(stage: Stage, config: string): Promise<Record<string, unknown>> {
  const ask = async (...args: string[]) => {
    const { status, out } = await stage.dfsIn(stage.home, ...args, "--config", config);
    return `${status} ${out.replaceAll("\n", " ").trim()}`;
  };
  const file = join(newFolder(), "h");
  writeFileSync(file, "mine");
  return {
    f: await ask("get", "-o", "-", "f"),
    g: await ask("get", "-o", "-", "g"),
    h: await ask("get", "-o", "-", "h"),
    ifAbsent: await ask("put", "--if-absent", file),
  };
}

/** Another computer: it has the same dfc.conf, and remembers nothing. */
function stranger(stage: Stage): string {
  const config = join(newFolder(), "dfc.conf");
  cpSync(stage.config, config);
  return config;
}

const putText = (stage: Stage, name: string, text: string) => stage.put(name, Buffer.from(text));

describe("one of three is put back to yesterday, while another missed today", () => {
  test.each(WAYS)("by %s", async (_, restore) => {
    const stage = await open(3);
    const [s1, s2, s3] = [stage.server(0), stage.server(1), stage.server(2)];
    await putText(stage, "f", "v1");
    await putText(stage, "g", "keep");
    await s3.terminate();
    const backup = join(newFolder(), "backup");
    cpSync(s3.folder, backup, { recursive: true });
    await s3.start();
    await s2.kill();
    await putText(stage, "f", "v2");
    expectDone(await stage.dfs("rm", "g"));
    await putText(stage, "h", "new");
    await s3.terminate();
    restore(backup, s3.folder);
    await Promise.all([s3.start(), s2.start()]);

    // S1 answers, and knows.
    for (const config of [stage.config, stranger(stage)]) {
      const seen = await answersOf(stage, config);
      expect(seen).toMatchObject({ f: "0 v2", h: "0 new", ifAbsent: "11 h put failed" });
      expect(seen.g).toStartWith("4");
      const { err } = await stage.dfs("list", "--config", config);
      expect(err).toContain("DFS3 was put back to an earlier state");
      expect(err).not.toContain("lost its data");
      expect(err).not.toContain("empty folder");
    }
    expect(s3.said).toContain("put back to an earlier state");
    // S1 is away: this computer remembers, and two servers do not answer for three.
    await s1.kill();
    const seen = await answersOf(stage, stage.config);
    for (const what of ["f", "g", "h"]) expect(seen[what]).toMatch(/^[56] /);
    expect(seen.ifAbsent).toStartWith("7");
    const { err } = await stage.dfs("list");
    expect(err).toContain("than this computer knows");

    // What is to be done: it is replaced by an empty one, while a quorum has all.
    await s1.start();
    await s3.kill();
    empty(s3.folder);
    await s3.start();
    expectDone(await stage.dfs("server", "replace", "DFS3"));
    for (const slot of [0, 1])
      await stage.without([slot], async () => {
        expect(await answersOf(stage, stranger(stage))).toMatchObject({ f: "0 v2", h: "0 new" });
      });
    expect((await stage.dfs("status")).status).toBeOneOf([0, 3]);
  });
});

test("a server that was put back restarts again and again, and is noticed all the same", async () => {
  const stage = await open(3);
  const s3 = stage.server(2);
  await putText(stage, "f", "v1");
  await s3.terminate();
  const backup = join(newFolder(), "backup");
  cpSync(s3.folder, backup, { recursive: true });
  for (let life = 0; life < 2; life++) {
    await s3.start();
    await putText(stage, "f", `v${life + 2}`);
    await s3.kill();
  }
  sh(`cp -a "${backup}/." "${s3.folder}/"`);
  for (let life = 0; life < 4; life++) {
    await s3.start();
    const { out, err } = await stage.dfs("get", "-o", "-", "f", "--config", stranger(stage));
    expect(out).toBe("v3");
    expect(err).toContain("DFS3 was put back");
    await s3.kill();
  }
});

test("a log that is removed after a crash: the server is not served, and says so", async () => {
  const stage = await open(3);
  const [, s2, s3] = [stage.server(0), stage.server(1), stage.server(2)];
  await putText(stage, "f", "v1");
  await s3.terminate();
  await s3.start();
  await s2.kill();
  await putText(stage, "f", "v2");
  await s3.kill();
  rmSync(join(s3.folder, "catalog.sqlite-wal"));
  const refusal = await s3.start().then(
    () => "",
    (error: Error) => error.message,
  );
  expect(refusal).toContain("the log of the last run, is gone");
  expect(refusal).not.toContain("empty folder");
  await s2.start();
  expect((await stage.get("f")).toString()).toBe("v2");
});

/** Each server goes on in a copy of its folder, the original gone. */
async function move(stage: Stage, stop: "terminate" | "kill"): Promise<void> {
  for (const server of stage.servers) await server[stop]();
  for (const { folder } of stage.servers) {
    sh(`cp -a "${folder}" "${folder}.new"`);
    rmSync(folder, { recursive: true });
    renameSync(`${folder}.new`, folder);
  }
  for (const server of stage.servers) await server.start();
}

test("all servers are moved by cp -a after an orderly stop, and the cluster goes on", async () => {
  const stage = await open(4);
  for (let i = 0; i < 12; i++)
    await stage.put(`f${i}`, Buffer.alloc(1000 + 9000 * i, `content ${i} `));
  await move(stage, "terminate");
  for (const { said } of stage.servers) expect(said).toContain("is a copy of the folder of server");
  const list = await stage.dfs("list");
  expect([list.status, list.err]).toEqual([0, ""]);
  for (let i = 0; i < 12; i++)
    expect((await stage.get(`f${i}`)).equals(Buffer.alloc(1000 + 9000 * i, `content ${i} `))).toBe(
      true,
    );
  expect((await stage.dfs("verify")).status).toBe(0);
  await putText(stage, "f0", "after");
  await stage.without([1], async () => {
    expect((await stage.get("f0")).toString()).toBe("after");
  });
});

test("after a move a user who is no operator is told to wait for one, and loses nothing", async () => {
  const passwords = { op: "op-secret-1", alice: "alice-pw-1" };
  const stage = await Stage.open(3, { users: await usersFile(passwords) });
  stages.push(stage);
  const as = (who: keyof typeof passwords): Computer =>
    new Computer(stage.servers, lineOf(who, passwords[who]));
  expectDone(await as("op").dfs("status"));
  const alice = as("alice");
  await alice.put("f", "hers");
  await move(stage, "terminate");
  const { status, err } = await alice.dfs("get", "f");
  expect(status).toBe(5);
  expect(err).toContain("an operator's command");
  expectDone(await as("op").dfs("server", "list"));
  expect((await alice.get("f")).toString()).toBe("hers");
});

test("moved after a crash they count as others, and nobody is told to throw the copies away", async () => {
  const stage = await open(3);
  await putText(stage, "f", "v1");
  await move(stage, "kill");
  for (const { said } of stage.servers) expect(said).toContain("goes on as another server");
  for (const args of [["list"], ["get", "-o", "-", "f"], ["server", "replace", "DFS1"]]) {
    const { status, err } = await stage.dfs(...args);
    expect(status).not.toBe(0);
    expect(err).not.toContain("empty folder");
    expect(err).not.toContain("lost its data");
  }
});

test("a copy beside its original: only one of the two counts, whatever is asked of which", async () => {
  const stage = await open(3);
  const s3 = stage.server(2);
  await putText(stage, "f", "v1");
  await s3.terminate();
  const copy = await Stage.open(0);
  stages.push(copy);
  const other = stage.server(2).twin(`${s3.folder}-copy`);
  sh(`cp -a "${s3.folder}" "${s3.folder}-copy"`);
  await s3.start();
  await putText(stage, "f", "v2");
  await other.start();
  try {
    const config = stranger(stage);
    const lines = (await Bun.file(config).text()).replace(`:${s3.port}`, `:${other.port}`);
    writeFileSync(config, lines);
    for (let i = 3; i < 6; i++) {
      expect((await stage.dfs("get", "-o", "-", "f", "--config", config)).out).toBe(`v${i - 1}`);
      await putText(stage, "f", `v${i}`);
    }
    expect((await stage.dfs("list", "--config", config)).err).toContain(
      "put back to an earlier state",
    );
  } finally {
    await other.kill();
  }
});
