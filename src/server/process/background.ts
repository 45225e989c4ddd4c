/**
 * A server that repairs its cluster now and then. A process of its own does it, an ordinary client: whatever happens to that, a full disk, a
 * bug, memory that runs out, nothing of it reaches the server.
 */
import { asDfsError } from "../../errors.ts";
import type { Tell, Told } from "../../io/ports.ts";
import { REPAIR_JITTER } from "../../limits.ts";
import { OWN_COMMAND } from "../../io/own_command.ts";

/** Whose cluster, how often, and who is told of it. */
export interface Repairs {
  /** The dfc.conf. */
  readonly config: string;
  readonly intervalSeconds: number;
  readonly tell: Tell;
}

/**
 * Begins; the function returned ends it. At once it looks who the servers are: whoever opens a cluster as an operator has them tell each
 * other of their lives, and so of this new one. Servers repair at different times, so that they do not all do the same work.
 */
export function repairInBackground({ config, intervalSeconds, tell }: Repairs): () => void {
  const look = ["server", "list", `--config=${config}`, "--quiet", "--json"];
  const repair = ["repair", `--config=${config}`, "--no-progress", "--quiet", "--json"];
  let timer: ReturnType<typeof setTimeout>;
  let child: Bun.Subprocess | null = null;
  let before = 0;
  let isOver = false;
  const later = (): void => {
    child = null;
    if (isOver) return;
    const jitter = 1 + REPAIR_JITTER * (2 * Math.random() - 1);
    timer = setTimeout(() => void run(repair, tellAll), intervalSeconds * 1000 * jitter);
  };
  const tellAll = (status: number, out: string): void => {
    // One that was ended from outside says nothing of the cluster.
    if (isOver || status > 128) return;
    if (status !== before) tell(outcomeOf(status, config));
    before = status;
    const sums = sumsIn(out);
    if (sums) tell(sums);
  };
  const run = async (
    args: readonly string[],
    done: (status: number, out: string) => void,
  ): Promise<void> => {
    try {
      // What it says has names of files in it: they are its user's, and no matter of a log.
      const started = Bun.spawn([...OWN_COMMAND, ...args], {
        stdio: ["ignore", "pipe", "ignore"],
      });
      child = started;
      const out = await new Response(started.stdout).text();
      done(await started.exited, out);
    } catch (error) {
      const line = `${args[0]} cannot be started: ${asDfsError(error).message}`;
      tell({ level: "warning", event: "repair-failed", line });
    }
    later();
  };
  void run(look, () => {});
  return () => {
    isOver = true;
    clearTimeout(timer);
    child?.kill();
  };
}

/** How a repair ended, where the one before ended otherwise. */
const outcomeOf = (status: number, config: string): Told => ({
  level: status === 0 ? "info" : "warning",
  event: status === 0 ? "repair-well" : "repair-failed",
  line:
    status === 0
      ? "the repair in the background does all there is to do again"
      : `the repair in the background ended with exit status ${status}: dfs-tool repair --config ${config} says why`,
  facts: { status },
});

const COUNTED = ["restored", "dropped", "collected", "forgotten", "lost", "unrepaired"] as const;

/** What a repair did, of its JSON; null where that is none. */
function sumsIn(out: string): Told | null {
  try {
    const said = JSON.parse(out) as { names: unknown[] } & Record<string, number>;
    const counts = COUNTED.flatMap((what) =>
      (said[what] ?? 0) > 0 ? [[what, said[what] ?? 0] as const] : [],
    );
    const did = counts.map(([what, count]) => `${count} ${what}`).join(", ");
    const isIdle = said.names.length === 0;
    return {
      level: "verbose",
      event: "repaired",
      line: isIdle ? "nothing to repair" : `repaired ${said.names.length} names: ${did}`,
      facts: { names: said.names.length, ...Object.fromEntries(counts) },
    };
  } catch {
    return null;
  }
}
