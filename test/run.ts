/**
 * `npm test`: builds the executable, runs `bun test` with any arguments given, and ends with one
 * line that says what happened: `N passed, N failed`, then `, N skipped` where there are any.
 * Without arguments it runs all tests, the simulator beside the others: it computes while they
 * mostly wait. Once one of the two has ended, the acceptance tests come once more, with a password.
 */
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dir, "..");
const SIMULATOR = "sim";
const ACCEPTANCE = "acceptance";

/** Acceptance tests that a password changes nothing about: most have users of their own; where the executable lies is all one. */
const SAME_BOTH_WAYS = new Set([
  "elsewhere.test.ts",
  "golden.test.ts",
  "keys.test.ts",
  "middleman.test.ts",
  "passwords.test.ts",
  "secrecy.test.ts",
  "server_log.test.ts",
  "spaces.test.ts",
  "users.test.ts",
]);

/** What is about servers and connections more than about what lies there: a second time only with ACCEPTANCE=full. */
const SELDOM_SEALED = new Set([
  "exit_statuses.test.ts",
  "frozen.test.ts",
  "hostile.test.ts",
  "identity.test.ts",
  "late.test.ts",
  "lifecycle.test.ts",
  "long_lived.test.ts",
  "members_again.test.ts",
  "stale.test.ts",
]);
const isLeftOut = (name: string): boolean =>
  SAME_BOTH_WAYS.has(name) || (SELDOM_SEALED.has(name) && process.env.ACCEPTANCE !== "full");

/** Runs this same bun, its output streamed through; resolves to its exit status. */
const bun = (args: readonly string[], env: Record<string, string> = {}): Promise<number> =>
  Bun.spawn([process.execPath, ...args], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ["ignore", "inherit", "inherit"],
  }).exited;

interface Totals {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

const ENTITIES: Readonly<Record<string, string>> = {
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  amp: "&",
  "#10": "\n",
};

/** What failed and why, from a report: said again at the end, where the end may be all that is kept of the output. */
const failuresIn = (xml: string): string[] =>
  [...xml.matchAll(/<testcase name="([^"]*)"[^>]*>\s*<failure [^>]*message="([^"]*)"/g)].map(
    ([, name = "", why = ""]) =>
      `failed: ${name}: ${why}`.replace(
        /&([#\w]+);/g,
        (all, entity: string) => ENTITIES[entity] ?? all,
      ),
  );

/** A runner's report, which is only there when it came to its end. */
function reportIn(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** The totals of a report. */
function totalsOf(xml: string): Totals | undefined {
  const suites = /<testsuites [^>]*>/.exec(xml)?.[0];
  if (!suites) return undefined;
  const count = (name: string) => Number(new RegExp(` ${name}="(\\d+)"`).exec(suites)?.[1]);
  const [tests, failed, skipped] = [count("tests"), count("failures"), count("skipped")];
  const passed = tests - failed - skipped;
  return Number.isNaN(passed) ? undefined : { passed, failed, skipped };
}

const failures: string[] = [];

/** Tests that one runner runs. */
interface Lot {
  readonly name: string;
  readonly paths: readonly string[];
  readonly env?: Record<string, string>;
}

/** Runs these tests; a runner that ends badly has failed, whatever its report says. */
async function run({ name, paths, env }: Lot): Promise<Totals> {
  const report = join(root, `dist/${name}.xml`);
  rmSync(report, { force: true });
  const args = ["test", "--reporter=junit", `--reporter-outfile=${report}`, ...paths];
  const status = await bun(args, env);
  const xml = reportIn(report);
  failures.push(...failuresIn(xml));
  const totals = totalsOf(xml) ?? { passed: 0, failed: 0, skipped: 0 };
  if (status === 0 && totals.failed === 0 && totals.passed > 0) return totals;
  // A file that does not load, a runner that died and a run of no tests are in no report.
  if (totals.failed === 0)
    console.log(`the test runner of ${name} ended badly (exit status ${status})`);
  return { ...totals, failed: Math.max(totals.failed, 1) };
}

/** All tests: the simulator's; all others; and, with a password, what that concerns once more. */
function allLots(): Lot[] {
  const all = readdirSync(join(root, "test"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() || entry.name.endsWith(".test.ts"))
    .map(({ name }) => name);
  const pathOf = (name: string): string => `./test/${name}`;
  const others = all.filter((name) => name !== SIMULATOR).map(pathOf);
  const sealed = readdirSync(join(root, pathOf(ACCEPTANCE)))
    .filter((name) => name.endsWith(".test.ts") && !isLeftOut(name))
    .map((name) => pathOf(join(ACCEPTANCE, name)));
  return [
    { name: "simulator", paths: [pathOf(SIMULATOR)] },
    { name: "others", paths: others },
    { name: "sealed", paths: sealed, env: { DFS_TEST_SEALED: "1" } },
  ];
}

/** Two at a time: three would keep each other from answering in time. */
async function runAll(lots: readonly Lot[]): Promise<Totals[]> {
  const totals: Totals[] = [];
  const waiting = [...lots];
  const worker = async (): Promise<void> => {
    for (let lot = waiting.shift(); lot; lot = waiting.shift()) totals.push(await run(lot));
  };
  await Promise.all([worker(), worker()]);
  return totals;
}

async function main(): Promise<number> {
  const say = (passed: number, failed: number, skipped = 0) =>
    console.log(`${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ""}`);

  if ((await bun(["build.ts"])) !== 0) {
    console.log("the build failed");
    say(0, 1);
    return 1;
  }
  const given = process.argv.slice(2);
  const all = await runAll(given.length > 0 ? [{ name: "chosen", paths: given }] : allLots());
  const sum = (of: keyof Totals): number => all.reduce((total, one) => total + one[of], 0);
  for (const failure of failures) console.log(failure);
  say(sum("passed"), sum("failed"), sum("skipped"));
  return sum("failed") > 0 ? 1 : 0;
}

process.exit(await main());
