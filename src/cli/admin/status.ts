/** dfs-tool status: one word on whether the data is safe, then the reasons. */
import { defineCommand } from "citty";
import { counted } from "../../counted.ts";
import { type ServerStatus, type Status, statusOf, type Word } from "../../client/care/status.ts";
import {
  SCARCE_BYTES,
  STATUS_REPLY_MS,
  STATUS_WATCH_MS,
  UNREAD_SECONDS_MAX,
} from "../../limits.ts";
import { plainFlags } from "../../terminal/flags.ts";
import { type Setup, setUp, withCluster } from "../config/open.ts";
import { clearScreen, flush, mustBeRead, print, printJson } from "../../terminal/stdout.ts";
import { ageText, SERVER_STATES, sizeText, tableLines } from "../../terminal/units.ts";

/** The exit status of each word. */
const EXIT: Readonly<Record<Word, number>> = {
  HEALTHY: 0,
  DEGRADED: 3,
  "AT RISK": 14,
  "DATA MISSING": 6,
  "TOO FEW SERVERS": 5,
};

export const statusCommand = defineCommand({
  meta: { description: "Say whether the data is safe, how the servers do, and what is left to do" },
  args: {
    watch: { type: "boolean", description: "Say it again every two seconds, with the time" },
    strict: {
      type: "boolean",
      description: "Healthy only if all was read back, all is at home, and no disk is full",
    },
    ...plainFlags,
  },
  async run({ args }) {
    const setup = await setUp(args);
    const isStrict = args.strict ?? false;
    for (;;) {
      const status = await statusNow(setup, isStrict);
      if (args.watch && !args.json) await printTime();
      if (args.json) await printJson(asJson(status));
      else for (const line of linesOf(status)) await print(line);
      if (!args.watch) return EXIT[status.word];
      // The output goes out now, for a person may be watching.
      if (!args.json && !process.stdout.isTTY) await print("");
      await flush();
      mustBeRead();
      await Bun.sleep(STATUS_WATCH_MS);
    }
  },
});

/** Prints the time of day; on a terminal it first clears what was printed before. */
async function printTime(): Promise<void> {
  if (process.stdout.isTTY) await clearScreen();
  await print(new Date().toTimeString().slice(0, "12:34:56".length));
}

const statusNow = (setup: Setup, isStrict: boolean): Promise<Status> =>
  withCluster(
    setup,
    (cluster) => statusOf(cluster, { layout: setup.configuration.layout, isStrict }),
    {
      // A status is wanted soon, so the patience is short, unless dfc.conf sets another.
      patienceMs: setup.configuration.patienceMs ?? STATUS_REPLY_MS,
      keys: "none",
    },
  );

const asJson = ({
  word,
  canLose,
  files,
  bytes,
  used,
  free,
  usable,
  shared,
  unreadable,
  hollow,
  open,
  displaced,
  servers,
  notes,
  damaged,
  toDo,
}: Status) => ({
  status: word,
  canLose,
  files,
  bytes,
  used,
  free,
  usable,
  sameDisk: shared,
  unreadable,
  hollow,
  open,
  displaced,
  servers: servers.map(({ name, release, weight, health, state }) => ({
    name,
    up: health !== null,
    state,
    version: release,
    weight,
    ...health,
  })),
  notes,
  damagedRecords: damaged,
  toDo,
});

function linesOf(status: Status): string[] {
  const { word, canLose, files, bytes, unreadable, servers } = status;
  const more = canLose === 1 ? "1 more server" : `any ${canLose} more servers`;
  const silent = servers.filter(({ state }) => state === "down").map(({ name }) => name);
  const reasons = [
    ...(silent.length > 0
      ? [`${silent.join(", ")} ${silent.length > 1 ? "do" : "does"} not answer`]
      : []),
    ...(word === "TOO FEW SERVERS" ? ["so few servers answer that nobody can tell"] : []),
    ...(unreadable > 0 ? [`${unreadable} of ${files} files cannot be had`] : []),
    ...hollowLines(status),
    ...openLines(status),
    ...status.notes,
    ...status.shared.map(sharedText),
    ...servers.flatMap(({ name, health }) => (health?.short ? [fullText(name, health.short)] : [])),
    ...(status.usable !== null && status.usable < SCARCE_BYTES
      ? ["no more files find room on the servers that answer"]
      : []),
    ...displacedLines(status),
    ...toDoTexts(status),
  ];
  const isBad = word === "DATA MISSING" || word === "TOO FEW SERVERS";
  const lose = isBad ? "" : canLose > 0 ? `can lose ${more}` : "can lose no more server";
  return [
    `${word}${lose ? `, ${lose}` : ""}`,
    `${counted(files, "file")}, ${sizeText(bytes)}`,
    roomText(status),
    ...reasons,
    "",
    ...tableLines([
      [
        "SERVER",
        "STATE",
        "FREE",
        "PIECES",
        "DAMAGED",
        "UNREAD",
        "OLDEST READ",
        "VERSION",
        "WEIGHT",
      ],
      ...servers.map(rowOf),
    ]),
  ];
}

/** How much is used, how much is free, and how much of that new files can have. */
function roomText({ used, free, usable, layout }: Status): string {
  const name = layout.is === "pairs" ? "pairs" : `rs:${layout.data}+${layout.parity}`;
  const more =
    usable === null ? "" : `, room for about ${sizeText(usable)} more of files in ${name}`;
  return `used ${sizeText(used)}, free ${free === null ? "unknown" : sizeText(free)}${more}`;
}

const sharedText = (names: readonly string[]): string =>
  `${names.join(", ")} are on one disk: what is free there is counted once, and they can be lost together`;

function displacedLines({ displaced }: Status): string[] {
  if (displaced === 0) return [];
  const pieces = counted(displaced, "piece lies on another server", "pieces lie on other servers");
  return [`${pieces} than at home, where there is no room: nothing is missing`];
}

/**
 * Files without any piece on any server are lost, or somebody made them up. Their user knows which,
 * and an operator can delete them.
 */
function hollowLines({ hollow, firstHollow }: Status): string[] {
  if (!firstHollow) return [];
  const { user, name } = firstHollow;
  const of = `${counted(hollow, "file of others has", "files of others have")} no piece on any server (as ${name} of ${user})`;
  return [`${of}: ask their users, or delete them: dfs-tool rm --user ${user} NAME`];
}

/** Files from before there were users are in nobody's list. */
const openLines = ({ open }: Status): string[] =>
  open === 0
    ? []
    : [
        `${counted(open, "file lies", "files lie")} in the open since before there were users, and ${open === 1 ? "is" : "are"} in nobody's list: dfs-tool adopt makes ${open === 1 ? "it" : "them"} yours, sealed`,
      ];

const rowOf = ({ name, release, weight, health, state }: ServerStatus): string[] =>
  health
    ? [
        name,
        SERVER_STATES[state],
        health.free === null || health.total === null
          ? "unknown"
          : `${sizeText(health.free)} of ${sizeText(health.total)}`,
        String(health.pieces),
        String(health.bad),
        String(health.unread),
        health.oldest === null ? "-" : `${ageText(health.oldest)} ago`,
        release ?? "-",
        String(weight),
      ]
    : [name, SERVER_STATES[state], "-", "-", "-", "-", "-", "-", String(weight)];

/** Which server takes no more pieces, and why. */
const fullText = (name: string, short: string): string =>
  short === "inodes"
    ? `${name} has next to no room for more pieces: its disk can hold no more files (the inodes are used up)`
    : `${name} has next to no room for more pieces: its disk is full`;

/**
 * For one server, the way out. For several it is no way: each new server would need what only the
 * other damaged ones have.
 */
function recordsText(damaged: readonly string[]): string {
  const [name] = damaged;
  if (damaged.length !== 1) return ` on ${damaged.join(", ")}`;
  return ` on ${name}: keep its folder, start it with a new one, and run dfs-tool server replace ${name}`;
}

/** What is left to do: one line for each kind. */
function toDoTexts({ toDo, servers, damaged }: Status): string[] {
  const room = servers.some(({ health }) => health?.short) ? ", once there is room for them" : "";
  const all = servers.some(({ state }) => state !== "up") ? ", once all servers answer" : "";
  const kinds: [count: number, one: string, many: string, what: string][] = [
    [toDo.damaged, "piece is", "pieces are", "damaged: repair makes them anew"],
    [
      toDo.lacking,
      "copy of a piece is",
      "copies of pieces are",
      `missing: repair makes them anew${room}`,
    ],
    [toDo.astray, "piece lies", "pieces lie", `away from home: repair brings them back${all}`],
    [
      toDo.unsettled,
      "name has",
      "names have",
      "servers that do not agree yet: repair settles them",
    ],
    [toDo.records, "record of names is", "records of names are", `damaged${recordsText(damaged)}`],
    [toDo.changes, "change of the servers is", "", "not finished: repair finishes it"],
    [toDo.deletions, "deletion is", "deletions are", `not forgotten yet: repair does it${all}`],
    [
      toDo.orphans,
      "name has",
      "names have",
      "pieces that nobody needs: repair removes them once nobody puts them any more",
    ],
    [
      toDo.unread,
      "piece was",
      "pieces were",
      `not read back yet: servers do it, or verify${unreadText(servers)}`,
    ],
  ];
  return kinds.flatMap(([count, one, many, what]) =>
    count > 0 ? [`${counted(count, one, many)} ${what}`] : [],
  );
}

/** Names servers with pieces that were not read back for too long. */
function unreadText(servers: readonly ServerStatus[]): string {
  const late = servers.flatMap(({ name, health }) =>
    (health?.unreadFor ?? 0) >= UNREAD_SECONDS_MAX ? [name] : [],
  );
  return late.length > 0 ? `; for more than a day on ${late.join(", ")}` : "";
}
