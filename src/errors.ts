/**
 * What may go wrong, in one table: each code with its number on the wire, the exit status of the command line
 * (docs/design.md section 7) and the status a gateway would answer. What cannot go wrong is an `assert`.
 */

const ERRORS = {
  failed: { wire: 1, exit: 1, http: 500 },
  usage: { wire: 2, exit: 2, http: 400 },
  config: { wire: 3, exit: 2, http: 500 },
  partly: { wire: 4, exit: 3, http: 207 },
  noSuchName: { wire: 5, exit: 4, http: 404 },
  tooFew: { wire: 6, exit: 5, http: 503 },
  incomplete: { wire: 7, exit: 6, http: 503 },
  putFailed: { wire: 8, exit: 7, http: 503 },
  conflict: { wire: 9, exit: 11, http: 412 },
  login: { wire: 10, exit: 12, http: 401 },
  integrity: { wire: 11, exit: 13, http: 502 },
  /** A write whose outcome cannot be told: it may have happened, or may yet happen. */
  open: { wire: 13, exit: 7, http: 503 },
  interrupted: { wire: 12, exit: 130, http: 499 },
  /** Nobody reads what a command is for: it ends as one that SIGPIPE ends. */
  unread: { wire: 40, exit: 141, http: 499 },
  /** The peer sent what the protocol does not allow, or speaks another version of it. */
  protocol: { wire: 20, exit: 1, http: 400 },
  /** The peer cannot be reached, or did not answer in time. */
  down: { wire: 21, exit: 5, http: 503 },
  /** A request for another cluster or another server than the one that got it. */
  identity: { wire: 22, exit: 2, http: 409 },
  /** The disk, or the part of it that pieces may use, is full. */
  noRoom: { wire: 23, exit: 1, http: 507 },
  /** A sync failed: nobody knows what of it is durable, and a second one would lie. */
  unsynced: { wire: 30, exit: 1, http: 500 },
  /** The server does not hold this piece. */
  noPiece: { wire: 24, exit: 6, http: 404 },
  /** The server holds this piece, and it does not verify. */
  badPiece: { wire: 25, exit: 13, http: 502 },
  /** The server's record of this name does not verify: it counts as down for it. */
  damaged: { wire: 26, exit: 13, http: 503 },
  /** The request is of another epoch of the cluster than the server is in. */
  epoch: { wire: 28, exit: 5, http: 503 },
  /** The server was told of another server's life since the client met it: they must meet again. */
  lives: { wire: 31, exit: 5, http: 503 },
  /** It takes the operator of the cluster, or it is in another user's space. */
  forbidden: { wire: 29, exit: 12, http: 403 },
  /** The folder cannot be served: in use, of a newer format, unreadable. */
  folder: { wire: 27, exit: 1, http: 500 },
} as const;

/** What a failed login says, on whichever side it is noticed, and whatever was wrong. */
export const INVALID_LOGIN = "Invalid Username/Password. Please try again.";

export type ErrorCode = keyof typeof ERRORS;

/** An error that may happen. The message is one line: what happened, to which file or server, and what to do. */
export class DfsError extends Error {
  override readonly name = "DfsError";
  readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** The exit status of a command that ended with this error. */
export const exitStatus = (code: ErrorCode): number => ERRORS[code].exit;

/** The number of a code on the wire. */
export const wireNumber = (code: ErrorCode): number => ERRORS[code].wire;

/** The code of a wire number; a number of a later version reads as "failed". */
export function codeOfWire(wire: number): ErrorCode {
  for (const code of Object.keys(ERRORS) as ErrorCode[])
    if (ERRORS[code].wire === wire) return code;
  return "failed";
}

/** Is this a DfsError, of one of these codes where any are given? */
export const isDfsError = (error: unknown, ...codes: ErrorCode[]): error is DfsError =>
  error instanceof DfsError && (codes.length === 0 || codes.includes(error.code));

/** Any thrown value as a DfsError; what is none already becomes "failed" with its message's first line. */
export function asDfsError(error: unknown): DfsError {
  if (error instanceof DfsError) return error;
  const text = error instanceof Error ? error.message : String(error);
  return new DfsError("failed", text.split("\n", 1)[0] ?? "unknown error");
}

/** States what cannot be otherwise; a failure is a bug in this program. */
export function assert(condition: unknown, what: string): asserts condition {
  if (!condition) throw new Error(`bug: ${what}`);
}
