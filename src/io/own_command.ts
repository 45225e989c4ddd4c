/**
 * How this program starts itself again, as another process. Used by the demo and the background
 * repair.
 */

/** The command that starts this program: the executable, or Bun with the source. */
export const OWN_COMMAND = Bun.isStandaloneExecutable
  ? [process.execPath]
  : [process.execPath, Bun.main];
