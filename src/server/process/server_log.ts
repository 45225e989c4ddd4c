/**
 * The log of `serve` on stderr: lines for people, or JSON for programs, down to a chosen level.
 * Used by `serve`.
 */
import { DfsError } from "../../errors.ts";
import { bunClock } from "../../io/bun.ts";
import type { Notify, Notice } from "../../io/ports.ts";
import { LOG_LOOK_MS } from "../../limits.ts";
import { drainLog, lostLines, neverWait, writeError } from "../../terminal/log.ts";
import { LogThrottle } from "./log_throttle.ts";

const FORMATS = ["text", "json"] as const;
type Format = (typeof FORMATS)[number];

/** From the most to the least important. `-q` keeps warnings and the error that ends the server. */
const LEVELS = ["error", "warning", "info", "verbose"] as const;
type Level = (typeof LEVELS)[number];

/** The names of the levels in the JSON, as in other logs. */
const LEVEL_IN_JSON: Readonly<Record<Level, string>> = {
  error: "error",
  warning: "warning",
  info: "info",
  verbose: "debug",
};

export interface LogFlags {
  /** The folder that is served. */
  readonly dir: string;
  readonly log: string;
  readonly quiet?: boolean | undefined;
  readonly verbose?: boolean | undefined;
}

export interface ServerLog {
  /** Logs a notice, unless the same kind comes again and again. */
  readonly notify: Notify;
  /** Logs the error that ends the server. */
  readonly fail: (error: DfsError) => void;
  /** Resolves when everything is written, or when nobody reads stderr. */
  close(): Promise<void>;
}

/**
 * Opens the log. From now on a slow reader of stderr makes nothing wait. Throws DfsError("usage").
 */
export function openServerLog({ dir, log, quiet, verbose }: LogFlags): ServerLog {
  const format = formatOf(log);
  const most = LEVELS.indexOf(quiet ? "warning" : verbose ? "verbose" : "info");
  neverWait();
  const write = (level: Level, notice: Omit<Notice, "level">): void => {
    if (LEVELS.indexOf(level) > most) return;
    writeError(`${LINE[format](dir, level, notice)}\n`);
  };
  const logNotice = (level: Level, notice: Omit<Notice, "level">): void => {
    const lost = lostLines();
    if (lost > 0) {
      const line = `${lost} lines of this log are lost, for nobody read it`;
      write("warning", { event: "lines-lost", line, facts: { count: lost } });
    }
    write(level, notice);
  };
  const throttle = new LogThrottle(bunClock, (notice) => logNotice(notice.level, notice));
  const timer = setInterval(() => throttle.look(), LOG_LOOK_MS);
  timer.unref();
  return {
    notify: (notice) => throttle.notify(notice),
    fail: ({ code, message }) =>
      logNotice("error", { event: "failed", line: message, facts: { code } }),
    async close() {
      clearInterval(timer);
      throttle.end();
      await drainLog();
    },
  };
}

function formatOf(text: string): Format {
  const format = FORMATS.find((known) => known === text);
  if (format) return format;
  throw new DfsError("usage", `--log is ${FORMATS.join(" or ")}, not ${JSON.stringify(text)}`);
}

type Line = (folder: string, level: Level, notice: Omit<Notice, "level">) => string;

/** The line that says where the server is has no time, for programs wait for it in this form. */
const UNTIMED = new Set(["started"]);

const LINE: Readonly<Record<Format, Line>> = {
  text(folder, level, { event, line }) {
    if (UNTIMED.has(event)) return `dfs-tool serve: ${folder} ${line}`;
    const time = new Date(bunClock.wall()).toISOString().replace(/\.\d+Z$/, "Z");
    const isPlain = level === "info" || level === "verbose";
    return `dfs-tool serve: ${folder}: ${time} ${isPlain ? "" : `${level}: `}${line}`;
  },
  json: (folder, level, { event, line, facts }) =>
    JSON.stringify({
      time: new Date(bunClock.wall()).toISOString(),
      level: LEVEL_IN_JSON[level],
      event,
      message: line,
      folder,
      ...facts,
    }),
};
