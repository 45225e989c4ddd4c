/**
 * Repairs the cluster now and then, in a process of its own that is an ordinary client. So no
 * failure of the repair (a full disk, a bug, too little memory) reaches the server. Used by
 * `serve`.
 */
import { asDfsError } from "../../errors.ts";
import type { Notify, Notice } from "../../io/ports.ts";
import { REPAIR_JITTER } from "../../limits.ts";
import { OWN_COMMAND } from "../../io/own_command.ts";

/** Which cluster to repair, how often, and who is told of it. */
export interface Repairs {
  /** The path of the dfc.conf. */
  readonly config: string;
  readonly intervalSeconds: number;
  readonly notify: Notify;
}

/**
 * Begins; the returned function ends it. At once it runs `server list`: a client that opens a
 * cluster as an operator tells the servers of each other's lives, and so of the new life of this
 * one. The interval is random within bounds, so that servers do not all do the same work at the
 * same time.
 */
export function repairInBackground({ config, intervalSeconds, notify }: Repairs): () => void {
  const list = ["server", "list", `--config=${config}`, "--quiet", "--json"];
  const repair = ["repair", `--config=${config}`, "--no-progress", "--quiet", "--json"];
  let timer: ReturnType<typeof setTimeout>;
  let child: Bun.Subprocess | null = null;
  let lastStatus = 0;
  let isOver = false;
  const later = (): void => {
    child = null;
    if (isOver) return;
    const jitter = 1 + REPAIR_JITTER * (2 * Math.random() - 1);
    timer = setTimeout(() => void run(repair, report), intervalSeconds * 1000 * jitter);
  };
  const report = (status: number, out: string): void => {
    // A status over 128 is that of a process that was killed: it tells nothing about the cluster.
    if (isOver || status > 128) return;
    if (status !== lastStatus) notify(outcomeOf(status, config));
    lastStatus = status;
    const summary = summaryOf(out);
    if (summary) notify(summary);
  };
  const run = async (
    args: readonly string[],
    done: (status: number, out: string) => void,
  ): Promise<void> => {
    try {
      // Its output contains names of files: they concern only their user, so they are not logged.
      const started = Bun.spawn([...OWN_COMMAND, ...args], {
        stdio: ["ignore", "pipe", "ignore"],
      });
      child = started;
      const out = await new Response(started.stdout).text();
      done(await started.exited, out);
    } catch (error) {
      const line = `${args[0]} cannot be started: ${asDfsError(error).message}`;
      notify({ level: "warning", event: "repair-failed", line });
    }
    later();
  };
  void run(list, () => {});
  return () => {
    isOver = true;
    clearTimeout(timer);
    child?.kill();
  };
}

/** How a repair ended. Told only if it ended unlike the one before. */
const outcomeOf = (status: number, config: string): Notice => ({
  level: status === 0 ? "info" : "warning",
  event: status === 0 ? "repair-well" : "repair-failed",
  line:
    status === 0
      ? "the repair in the background does all there is to do again"
      : `the repair in the background ended with exit status ${status}: dfs-tool repair --config ${config} says why`,
  facts: { status },
});

const COUNTED = ["restored", "dropped", "collected", "forgotten", "lost", "unrepaired"] as const;

/** What a repair did, from its JSON; null if the output is not JSON. */
function summaryOf(out: string): Notice | null {
  try {
    const repaired = JSON.parse(out) as { names: unknown[] } & Record<string, number>;
    const counts = COUNTED.flatMap((what) =>
      (repaired[what] ?? 0) > 0 ? [[what, repaired[what] ?? 0] as const] : [],
    );
    const did = counts.map(([what, count]) => `${count} ${what}`).join(", ");
    const isIdle = repaired.names.length === 0;
    return {
      level: "verbose",
      event: "repaired",
      line: isIdle ? "nothing to repair" : `repaired ${repaired.names.length} names: ${did}`,
      facts: { names: repaired.names.length, ...Object.fromEntries(counts) },
    };
  } catch {
    return null;
  }
}
