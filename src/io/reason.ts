/**
 * Why the system refused something, in words for people. Used by the ports, and by commands that
 * read and write local files.
 */

/** The system's code of an error, such as "ENOENT". */
export const codeOf = (error: unknown): string | undefined =>
  error instanceof Error ? (error as Error & { code?: string }).code : undefined;

/** The reason in words, of an error of the system or any other. */
export function reasonOf(error: unknown): string {
  const code = codeOf(error);
  const known: Record<string, string> = {
    ECONNREFUSED: "connection refused",
    ECONNRESET: "the connection was cut",
    ETIMEDOUT: "no answer in time",
    EHOSTUNREACH: "there is no way to that machine",
    ENETUNREACH: "there is no way to that network",
    ENOTFOUND: "there is no machine of that name",
    EAI_AGAIN: "its name cannot be looked up",
    EADDRNOTAVAIL: "this machine has no such address",
    ENOSPC: "the disk is full",
    EPERM: "permission denied",
    ELOOP: "its links lead in a circle",
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
