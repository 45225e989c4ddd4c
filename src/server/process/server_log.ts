/** What `serve` says, on stderr: a line for people, or JSON for programs, of all that its level lets through. */
import { DfsError } from "../../errors.ts";
import { bunClock } from "../../io/bun.ts";
import type { Tell, Told } from "../../io/ports.ts";
import { LOG_LOOK_MS } from "../../limits.ts";
import { endUnwaited, lostLines, neverWait, writeError } from "../../terminal/log.ts";
import { Sparing } from "./sparing.ts";

const FORMATS = ["text", "json"] as const;
type Format = (typeof FORMATS)[number];

/** `-q` keeps warnings and what ends the server. */
const LEVELS = ["error", "warning", "info", "verbose"] as const;
type Level = (typeof LEVELS)[number];

/** As a log calls it elsewhere. */
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
  /** Says it, unless such things come again and again. */
  readonly tell: Tell;
  /** Says what ends the server. */
  readonly fail: (error: DfsError) => void;
  /** Resolves when all is written, or nobody reads it. */
  close(): Promise<void>;
}

/** From now on nothing waits for whoever reads stderr. Throws DfsError("usage"). */
export function openServerLog({ dir, log, quiet, verbose }: LogFlags): ServerLog {
  const format = formatOf(log);
  const most = LEVELS.indexOf(quiet ? "warning" : verbose ? "verbose" : "info");
  neverWait();
  const say = (level: Level, told: Omit<Told, "level">): void => {
    if (LEVELS.indexOf(level) > most) return;
    writeError(`${LINE[format](dir, level, told)}\n`);
  };
  const sayAll = (level: Level, told: Omit<Told, "level">): void => {
    const lost = lostLines();
    if (lost > 0) {
      const line = `${lost} lines of this log are lost, for nobody read it`;
      say("warning", { event: "lines-lost", line, facts: { count: lost } });
    }
    say(level, told);
  };
  const sparing = new Sparing(bunClock, (told) => sayAll(told.level, told));
  const timer = setInterval(() => sparing.look(), LOG_LOOK_MS);
  timer.unref();
  return {
    tell: (told) => sparing.tell(told),
    fail: ({ code, message }) =>
      sayAll("error", { event: "failed", line: message, facts: { code } }),
    async close() {
      clearInterval(timer);
      sparing.end();
      await endUnwaited();
    },
  };
}

function formatOf(text: string): Format {
  const format = FORMATS.find((one) => one === text);
  if (format) return format;
  throw new DfsError("usage", `--log is ${FORMATS.join(" or ")}, not ${JSON.stringify(text)}`);
}

type Line = (folder: string, level: Level, told: Omit<Told, "level">) => string;

/** Where the server is, which programs wait for, comes without a time, as it ever did. */
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
