/** The release and the commit of this program. build.ts puts the values in. */
export const RELEASE: string = process.env.DFS_VERSION ?? "0.0.0-source";
export const COMMIT: string = process.env.DFS_COMMIT ?? "unknown";
