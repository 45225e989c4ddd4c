/**
 * `npm test`: builds the executable, runs `bun test` with any arguments given, and ends with one
 * line that says what happened: `N passed, N failed`, then `, N skipped` where there are any.
 */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dir, "..");
const report = join(root, "dist/tests.xml");

/** Runs this same bun, its output streamed through; resolves to its exit status. */
const bun = (...args: string[]): Promise<number> =>
  Bun.spawn([process.execPath, ...args], { cwd: root, stdio: ["ignore", "inherit", "inherit"] })
    .exited;

/** The totals of the report, which is only there when the runner came to its end. */
function totals(): { passed: number; failed: number; skipped: number } | undefined {
  let xml: string;
  try {
    xml = readFileSync(report, "utf8");
  } catch {
    return undefined;
  }
  const suites = /<testsuites [^>]*>/.exec(xml)?.[0];
  if (!suites) return undefined;
  const count = (name: string) => Number(new RegExp(` ${name}="(\\d+)"`).exec(suites)?.[1]);
  const [tests, failed, skipped] = [count("tests"), count("failures"), count("skipped")];
  const passed = tests - failed - skipped;
  return Number.isNaN(passed) ? undefined : { passed, failed, skipped };
}

async function main(): Promise<number> {
  const say = (passed: number, failed: number, skipped = 0) =>
    console.log(`${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ""}`);

  if ((await bun("build.ts")) !== 0) {
    console.log("the build failed");
    say(0, 1);
    return 1;
  }
  rmSync(report, { force: true });
  const status = await bun(
    "test",
    "--reporter=junit",
    `--reporter-outfile=${report}`,
    ...process.argv.slice(2),
  );
  const { passed, failed, skipped } = totals() ?? { passed: 0, failed: 0, skipped: 0 };
  if (status === 0 && failed === 0 && passed > 0) {
    say(passed, 0, skipped);
    return 0;
  }
  // A file that does not load, a runner that died and a run of no tests are in no report.
  if (failed === 0) console.log(`the test runner ended badly (exit status ${status})`);
  say(passed, Math.max(failed, 1), skipped);
  return 1;
}

process.exit(await main());
