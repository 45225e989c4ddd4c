/** How this program starts itself once more: the demo, the benchmark and the background repair are processes of their own. */

/** The command that starts this program: itself, or from source the Bun that runs it. */
export const OWN_COMMAND = Bun.isStandaloneExecutable
  ? [process.execPath]
  : [process.execPath, Bun.main];
