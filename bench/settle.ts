/** What must be so before anything is timed, so that both sides of a pair meet the same machine. */

/**
 * Memory that was freed is given back to the host of a virtual machine in the two seconds after; and to take it from there costs ten times
 * what it costs to fill it. Whoever begins right after something large was removed would not pay that.
 */
const MEMORY_MS = 3000;

/** What was written before must not be on its way to the disk while something is timed. */
export const settleDisk = (): Promise<number> => Bun.spawn(["sync"]).exited;

/** The same, and no memory is free that was just in use. */
export async function settleMemory(): Promise<void> {
  await settleDisk();
  await Bun.sleep(MEMORY_MS);
}
