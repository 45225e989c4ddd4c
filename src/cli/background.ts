/**
 * A server that repairs its cluster now and then. A process of its own does it, an ordinary client: whatever happens to that, a full disk, a
 * bug, memory that runs out, nothing of it reaches the server.
 */
import { asDfsError } from "../errors.ts";
import { REPAIR_JITTER } from "../limits.ts";
import { OWN_COMMAND } from "./demo_servers.ts";
import { sayLine } from "./log.ts";

const STDERR = 2;

/** Whose cluster, how often, and whether to say what was done. */
export interface Repairs {
  /** The dfc.conf. */
  readonly config: string;
  readonly intervalSeconds: number;
  readonly isVerbose: boolean;
}

/**
 * Begins; the function returned ends it. At once it looks who the servers are: whoever opens a cluster as an operator has them tell each
 * other of their lives, and so of this new one. Servers repair at different times, so that they do not all do the same work.
 */
export function repairInBackground({ config, intervalSeconds, isVerbose }: Repairs): () => void {
  const voice = isVerbose ? "--verbose" : "--quiet";
  const look = ["server", "list", `--config=${config}`, "--quiet"];
  const repair = ["repair", `--config=${config}`, "--no-progress", voice];
  let timer: ReturnType<typeof setTimeout>;
  let child: Bun.Subprocess | null = null;
  let isOver = false;
  const later = (): void => {
    child = null;
    if (isOver) return;
    const jitter = 1 + REPAIR_JITTER * (2 * Math.random() - 1);
    // What it says goes where the server's own lines go.
    timer = setTimeout(run, intervalSeconds * 1000 * jitter, repair, isVerbose ? STDERR : "ignore");
  };
  const run = (args: readonly string[], said: typeof STDERR | "ignore"): void => {
    try {
      child = Bun.spawn([...OWN_COMMAND, ...args], { stdio: ["ignore", said, said] });
      child.exited.then(later, later);
    } catch (error) {
      sayLine(`${args[0]} cannot be started: ${asDfsError(error).message}`);
      later();
    }
  };
  run(look, "ignore");
  return () => {
    isOver = true;
    clearTimeout(timer);
    child?.kill();
  };
}
