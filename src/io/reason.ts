/** Why the system refused something, in words for people. */

/** The system's code of an error, as "ENOENT". */
export const codeOf = (error: unknown): string | undefined =>
  error instanceof Error ? (error as Error & { code?: string }).code : undefined;

/** What an error of the system says. */
export function reasonOf(error: unknown): string {
  const code = codeOf(error);
  const known: Record<string, string> = {
    ECONNREFUSED: "connection refused",
    ENOENT: "no such file or folder",
    EACCES: "permission denied",
    EISDIR: "it is a folder",
    ENOTDIR: "a part of the path is not a folder",
    EEXIST: "it is there already",
    EROFS: "the disk is read-only",
    ENAMETOOLONG: "the name is too long for this disk",
    EMFILE: "too many open files",
    ENFILE: "too many open files on this machine",
    EIO: "the disk reports an error",
  };
  return (
    (code !== undefined && known[code]) || (error instanceof Error ? error.message : String(error))
  );
}
