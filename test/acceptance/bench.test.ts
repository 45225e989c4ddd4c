/** dfs-tool bench: what it prints, and that nothing of it stays, however it ends. What it measures is nobody's business here. */
import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync } from "node:fs";
import { executable, newFolder, removeFolders, run } from "../harness/program.ts";
import { Stage } from "../harness/stage.ts";

setDefaultTimeout(60_000);

let stage: Stage;
/** Where the benchmark may write on this machine. */
const temporary = newFolder();
const env = () => ({ DFS_CONFIG: stage.config, TMPDIR: temporary });
const bench = (...args: string[]) => run(["bench", ...args], { cwd: stage.home, env: env() });
const names = async (): Promise<string[]> =>
  (await stage.dfs("list", "-q")).out.split("\n").filter(Boolean);

beforeAll(async () => {
  stage = await Stage.open(4);
  await stage.put("mine", Buffer.from("not the benchmark's"));
});
afterEach(() => {
  expect(readdirSync(temporary)).toEqual([]);
});
afterAll(async () => {
  await stage.close();
  removeFolders();
});

const SMALL = ["--size", "1", "--files", "5", "--runs", "2"];
const STEPS = [
  "put 1.0 MiB",
  "get 1.0 MiB",
  "put 5 x 4.0 KiB",
  "get 5 x 4.0 KiB",
  "list 6 names",
  "delete 6",
];

test("it prints a table, and deletes what it stored and nothing else", async () => {
  const { status, out, err } = await bench(...SMALL);
  expect([status, err]).toEqual([0, ""]);
  const lines = out.split("\n");
  expect(lines[0]).toMatch(/^WHAT +SECONDS +RATE +THIS MACHINE ALONE +SECONDS +TIMES AS LONG$/);
  for (const [i, what] of STEPS.entries()) expect(lines[i + 1]).toStartWith(`${what} `);
  expect(await names()).toEqual(["mine"]);
});

test("--json has the same", async () => {
  const { status, out } = await bench("--json", ...SMALL);
  expect(status).toBe(0);
  const report = JSON.parse(out);
  expect(report).toMatchObject({ bytes: 2 ** 20, files: 5, runs: 2, left: 0 });
  expect(report.prefix).toMatch(/^\.bench-[0-9a-f]{16}\/$/);
  const seconds = expect.any(Number);
  expect(report.steps).toEqual(
    STEPS.map((what, i) => ({
      what,
      seconds,
      bytes: i < 2 ? 2 ** 20 : null,
      files: [1, 1, 5, 5, 6, 6][i],
      alone: i < 4 ? { what: expect.any(String), seconds } : null,
    })),
  );
  const stored = 2 ** 20 + 5 * 4096;
  expect(report.traffic.sent).toBeGreaterThan(2 * 2 * stored);
  expect(report.traffic.received).toBeGreaterThan(2 * stored);
});

/** A benchmark that does not end by itself, once it has stored something. */
async function endless() {
  const child = Bun.spawn([executable, "bench", "--size", "1", "--files", "500", "--runs", "999"], {
    cwd: stage.home,
    env: env(),
    stdio: ["ignore", "ignore", "pipe"],
  });
  while ((await names()).length < 10) await Bun.sleep(20);
  return child;
}

test.each(["SIGINT", "SIGTERM"] as const)("after %s nothing is left", async (signal) => {
  const child = await endless();
  child.kill(signal);
  const said = await new Response(child.stderr).text();
  expect(await child.exited).toBe(130);
  expect(said).toContain("interrupted: what was stored is being deleted\n");
  expect(said).not.toContain("left in the store");
  expect(await names()).toEqual(["mine"]);
});

test("what cannot be deleted is told", async () => {
  const child = await endless();
  await stage.without([0, 1], async () => {
    const said = await new Response(child.stderr).text();
    expect(await child.exited).not.toBe(0);
    const [, prefix = "none"] =
      /left in the store: dfs-tool list (\S+) shows them/.exec(said) ?? [];
    const { out } = await stage.dfs("list", "-q", prefix);
    expect(out).toStartWith(prefix);
  });
  const left = (await names()).filter((name) => name !== "mine");
  expect((await stage.dfs("rm", ...left)).status).toBe(0);
});

test("with too few servers it changes nothing, and says why", async () => {
  await stage.without([0, 1], async () => {
    const { status, out, err } = await bench(...SMALL);
    expect([status, out]).toEqual([7, ""]);
    expect(err).toMatch(/^dfs-tool: 2 of 4 servers answer, .*nothing was changed\n$/);
  });
  expect(await names()).toEqual(["mine"]);
});

test.each([
  ["--size", "0"],
  ["--files", "many"],
  ["--runs", "1.5"],
])("%s %s is wrong usage", async (flag, value) => {
  const { status, err } = await bench(flag, value);
  expect(status).toBe(2);
  expect(err).toContain(`${flag} is a number from 1 to `);
});
