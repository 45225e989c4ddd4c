/** dfs-tool status: one word on whether the data is safe, then why. */
import { defineCommand } from "citty";
import { type ServerStatus, type Status, statusOf, type Word } from "../client/status.ts";
import { STATUS_REPLY_MS, STATUS_WATCH_MS } from "../limits.ts";
import { commonFlags } from "./flags.ts";
import { type Setup, setUp, withCluster } from "./open.ts";
import { flush, print, printJson } from "./stdout.ts";
import { ageText, SERVER_STATES, sizeText, tableLines } from "./units.ts";

/** The exit status follows the word. */
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
    watch: { type: "boolean", description: "Say it again every two seconds" },
    ...commonFlags,
  },
  async run({ args }) {
    const setup = await setUp(args);
    for (;;) {
      const status = await look(setup);
      if (args.json) await printJson(asJson(status));
      else for (const line of linesOf(status)) await print(line);
      if (!args.watch) return EXIT[status.word];
      // Whoever watches sees it now.
      await flush();
      await Bun.sleep(STATUS_WATCH_MS);
      if (!args.json) await print("");
    }
  },
});

const look = (setup: Setup): Promise<Status> =>
  withCluster(setup, statusOf, {
    // It says soon how things are, unless that takes longer here.
    patienceMs: setup.configuration.patienceMs ?? STATUS_REPLY_MS,
    keys: "none",
  });

const asJson = ({
  word,
  canLose,
  files,
  bytes,
  unreadable,
  hollow,
  servers,
  notes,
  damaged,
  toDo,
}: Status) => ({
  status: word,
  canLose,
  files,
  bytes,
  unreadable,
  hollow,
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
    ...status.notes,
    ...servers.flatMap(({ name, health }) => (health?.short ? [fullText(name, health.short)] : [])),
    ...toDoTexts(status),
  ];
  const isBad = word === "DATA MISSING" || word === "TOO FEW SERVERS";
  const lose = isBad ? "" : canLose > 0 ? `can lose ${more}` : "can lose no more server";
  return [
    `${word}${lose ? `, ${lose}` : ""}`,
    `${files} files, ${sizeText(bytes)}`,
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

/** What nobody has a piece of may be lost, or was made up: either way its user knows, and an operator can delete it. */
function hollowLines({ hollow, firstHollow }: Status): string[] {
  if (!firstHollow) return [];
  const { user, name } = firstHollow;
  const of = `${hollow} files of others have no piece on any server (as ${name} of ${user})`;
  return [`${of}: ask their users, or delete them: dfs-tool rm --user ${user} NAME`];
}

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

/** Who takes no more pieces, and why. */
const fullText = (name: string, short: string): string =>
  short === "inodes"
    ? `${name} has next to no room for more pieces: its disk can hold no more files (the inodes are used up)`
    : `${name} has next to no room for more pieces: its disk is full`;

/** Of one server the way out; of several each would take what only the others have. */
function recordsText(damaged: readonly string[]): string {
  const [name] = damaged;
  if (damaged.length !== 1) return ` on ${damaged.join(", ")}`;
  return ` on ${name}: keep its folder, start it with a new one, and run dfs-tool server replace ${name}`;
}

/** What is left to do, a line for each kind. */
function toDoTexts({ toDo, servers, damaged }: Status): string[] {
  const room = servers.some(({ health }) => health?.short) ? ", once there is room for them" : "";
  const kinds: [count: number, text: string][] = [
    [toDo.damaged, "pieces are damaged: repair makes them anew"],
    [toDo.lacking, `pieces are missing at home: repair makes them anew${room}`],
    [toDo.astray, "pieces lie away from home: repair brings them back"],
    [toDo.unsettled, "names whose servers do not agree yet: repair settles them"],
    [toDo.records, `records of names are damaged${recordsText(damaged)}`],
    [toDo.changes, "change of the servers is not finished: repair finishes it"],
    [toDo.deletions, "deletions are not forgotten yet: repair does it"],
    [toDo.orphans, "names have pieces that nobody needs: repair removes them"],
    [toDo.unread, "pieces have not been read back yet: servers do it, or verify"],
  ];
  return kinds.flatMap(([count, text]) => (count > 0 ? [`${count} ${text}`] : []));
}
