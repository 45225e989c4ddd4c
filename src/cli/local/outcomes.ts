/**
 * The outcome of each file of a command: its line, its JSON, and one exit status for all. Used by
 * get, put, cp, mv, mkdir, rm and adopt.
 */
import { counted } from "../../counted.ts";
import { asDfsError, DfsError, type ErrorCode, exitStatus, isDfsError } from "../../errors.ts";
import type { CommonFlags } from "../../terminal/flags.ts";
import { secondsAsked } from "../../terminal/ask_password.ts";
import { type Log, printToStderr } from "../../terminal/log.ts";
import { isBarWanted } from "../../terminal/progress.ts";
import { print, printJson } from "../../terminal/stdout.ts";
import { durationText, sizeText } from "../../terminal/units.ts";

/** A command that took longer ends with a line of its totals. */
const SUM_AFTER_SECONDS = 3;

/** What is known of a file that was transferred. */
interface Transferred {
  readonly bytes: number;
  /** The id of its version. */
  readonly version: string;
  /** The rotation of its placement; --json prints it as `x`. */
  readonly x: number;
}

export interface Outcome {
  readonly name: string;
  readonly seconds: number;
  readonly done: Transferred | null;
  readonly error: DfsError | null;
}

/**
 * Runs the work for one file; it returns null if nothing was transferred. An error that it throws
 * becomes the outcome.
 */
export async function outcomeOf(
  name: string,
  log: Log,
  work: () => Promise<Transferred | null>,
): Promise<Outcome> {
  const started = performance.now();
  const seconds = (): number => (performance.now() - started) / 1000;
  try {
    const done = await work();
    if (done) log.info(`${name}: ${done.bytes} bytes, version ${done.version}`);
    return { name, seconds: seconds(), done, error: null };
  } catch (error) {
    if (error instanceof Error && !isDfsError(error)) log.info(error.stack);
    return failed(name, asDfsError(error), seconds());
  }
}

/** The outcome of a file that failed. */
export const failed = (name: string, error: DfsError, seconds = 0): Outcome => {
  return { name, seconds, done: null, error };
};

/** If too few servers answer at the start, a put ends with the same error as if they fail later. */
export const notPut = ({ message }: DfsError): DfsError => new DfsError("putFailed", message);

export interface Summary {
  readonly outcomes: readonly Outcome[];
  /** Bytes on the wire, of the whole command. */
  readonly traffic: { readonly sent: number; readonly received: number };
  readonly seconds: number;
}

/**
 * Reports what failed: on stdout the line of `lineOf`, if any (or everything as JSON), and on
 * stderr the reason. Returns the exit status.
 */
export async function reportOutcomes(
  { outcomes, traffic, seconds }: Summary,
  lineOf: (name: string, error: DfsError) => string | null,
  log: Log,
  flags: CommonFlags,
): Promise<number> {
  for (const { name, error } of outcomes) {
    const line = error && lineOf(name, error);
    if (line !== null && !flags.json) await print(line);
  }
  for (const reason of reasonsOf(outcomes)) log.error(reason);
  const sum = sumLine(outcomes, seconds - secondsAsked());
  if (sum !== null && isBarWanted(flags)) printToStderr(sum);
  if (flags.json) await printJson({ files: outcomes.map(asJson), traffic, seconds });
  return statusOf(outcomes.map(({ error }) => error));
}

/**
 * The total and its speed, if it took so long that a person may have watched the bar; null if it
 * was short.
 */
export function sumLine(outcomes: readonly Outcome[], seconds: number): string | null {
  const done = outcomes.flatMap((outcome) =>
    outcome.done ? [{ ...outcome.done, name: outcome.name }] : [],
  );
  const [first] = done;
  if (!first || seconds <= SUM_AFTER_SECONDS) return null;
  const what = done.length === 1 ? first.name : counted(done.length, "file");
  const bytes = done.reduce((sum, outcome) => sum + outcome.bytes, 0);
  const time = seconds < 100 ? `${seconds.toFixed(1)} s` : durationText(seconds);
  return `${what}: ${sizeText(bytes)} in ${time}, ${sizeText(bytes / seconds)}/s`;
}

/** Why files failed. A reason that several files share is printed once. */
function reasonsOf(outcomes: readonly Outcome[]): string[] {
  const failures = new Map<DfsError, string[]>();
  for (const { name, error } of outcomes) {
    // The reader did not want more, so there is no failure to report.
    if (error && error.code !== "unread")
      failures.set(error, [...(failures.get(error) ?? []), name]);
  }
  return [...failures].map(([{ message }, names]) => {
    const [name] = names;
    return names.length > 1 || message.includes(name ?? "") ? message : `${name}: ${message}`;
  });
}

const asJson = ({ name, seconds, done, error }: Outcome) => ({
  name,
  ok: error === null,
  ...done,
  ...(error && { error: error.code, message: error.message }),
  seconds,
});

/**
 * The exit status for all: 0 without failures; the status of the failures if they share one and
 * nothing succeeded; else "partly".
 */
function statusOf(errors: readonly (DfsError | null)[]): number {
  const codes = new Set<ErrorCode>();
  for (const error of errors) if (error) codes.add(error.code);
  const [code] = codes;
  if (code === undefined) return 0;
  return codes.size === 1 && !errors.includes(null) ? exitStatus(code) : exitStatus("partly");
}
