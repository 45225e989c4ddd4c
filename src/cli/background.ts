/** A server that repairs its cluster now and then, as an ordinary client of it. */
import { repairAll } from "../client/repair.ts";
import { isDfsError } from "../errors.ts";
import { ORPHAN_AGE_SECONDS, REPAIR_JITTER } from "../limits.ts";
import { type Setup, withCluster } from "./open.ts";

/** Begins; the function returned ends it. Servers repair at different times, so that they do not all do the same work. */
export function repairInBackground(setup: Setup, intervalSeconds: number): () => void {
  let timer: ReturnType<typeof setTimeout>;
  const later = (): void => {
    const jitter = 1 + REPAIR_JITTER * (2 * Math.random() - 1);
    timer = setTimeout(() => void repairOnce(setup).then(later), intervalSeconds * 1000 * jitter);
  };
  later();
  return () => clearTimeout(timer);
}

async function repairOnce(setup: Setup): Promise<void> {
  try {
    await withCluster(
      setup,
      async (cluster) => {
        const options = { dryRun: false, orphanAge: ORPHAN_AGE_SECONDS };
        for await (const { name, problem } of repairAll(cluster, "", options))
          setup.log.info(`repair: ${name}${problem === null ? "" : `: ${problem}`}`);
      },
      { keys: "handy" },
    );
  } catch (error) {
    if (!isDfsError(error)) throw error;
    setup.log.info(`repair: ${error.message}`);
  }
}
