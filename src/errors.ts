/**
 * The errors that may happen, in one table: each code with its number on the wire, its exit status
 * (docs/design.md section 7), and the HTTP status that a gateway would answer. What cannot happen
 * is checked by `assert`. Used everywhere.
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
  /** The outcome of a write cannot be told: it may have happened, or may yet happen. */
  open: { wire: 13, exit: 7, http: 503 },
  interrupted: { wire: 12, exit: 130, http: 499 },
  /** Nobody reads the output of the command any more. It ends with the exit status of a SIGPIPE. */
  unread: { wire: 40, exit: 141, http: 499 },
  /** The peer sent what the protocol does not allow, or speaks another version of it. */
  protocol: { wire: 20, exit: 1, http: 400 },
  /** The peer cannot be reached, or did not answer in time. */
  down: { wire: 21, exit: 5, http: 503 },
  /** The request was meant for another cluster or another server. */
  identity: { wire: 22, exit: 2, http: 409 },
  /** The disk, or the part of it that pieces may use, is full. */
  noRoom: { wire: 23, exit: 1, http: 507 },
  /**
   * A sync failed. Nobody knows which bytes are durable, and a second sync would not tell the
   * truth.
   */
  unsynced: { wire: 30, exit: 1, http: 500 },
  /** The server does not hold this piece. */
  noPiece: { wire: 24, exit: 6, http: 404 },
  /** The server holds this piece, but the piece does not verify. */
  badPiece: { wire: 25, exit: 13, http: 502 },
  /** The server's record of this name does not verify. The server counts as down for the name. */
  damaged: { wire: 26, exit: 13, http: 503 },
  /** The request was made at another epoch of the cluster than the server's. */
  epoch: { wire: 28, exit: 5, http: 503 },
  /**
   * The server has learned of another server's life since it met the client. The two must meet
   * again.
   */
  lives: { wire: 31, exit: 5, http: 503 },
  /** Only an operator may do this, or the name is in another user's space. */
  forbidden: { wire: 29, exit: 12, http: 403 },
  /** The folder cannot be served: it is in use, of a newer format, or unreadable. */
  folder: { wire: 27, exit: 1, http: 500 },
} as const;

/** The message of a failed login. It is the same on both sides, and for every reason. */
export const INVALID_LOGIN = "Invalid Username/Password. Please try again.";

export type ErrorCode = keyof typeof ERRORS;

/**
 * An error that may happen. Its message is one line: what happened, to which file or server, and
 * what to do.
 */
export class DfsError extends Error {
  override readonly name = "DfsError";
  readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** The exit status of a command that ends with this error. */
export const exitStatus = (code: ErrorCode): number => ERRORS[code].exit;

/** The number of a code on the wire. */
export const wireNumber = (code: ErrorCode): number => ERRORS[code].wire;

/** The code for a number on the wire. A number that a later version added reads as "failed". */
export function codeOfWire(wire: number): ErrorCode {
  for (const code of Object.keys(ERRORS) as ErrorCode[])
    if (ERRORS[code].wire === wire) return code;
  return "failed";
}

/**
 * Is this a DfsError of one of these codes? Where no code is given, is it one after which work may
 * go on? So an interruption is only one where its code is given: it ends all that is under way.
 */
export const isDfsError = (error: unknown, ...codes: ErrorCode[]): error is DfsError =>
  error instanceof DfsError &&
  (codes.length === 0 ? error.code !== "interrupted" : codes.includes(error.code));

/**
 * Any thrown value as a DfsError. A value that is none becomes "failed", with the first line of its
 * message.
 */
export function asDfsError(error: unknown): DfsError {
  if (error instanceof DfsError) return error;
  const text = error instanceof Error ? error.message : String(error);
  return new DfsError("failed", text.split("\n", 1)[0] ?? "unknown error");
}

/** States what cannot be otherwise. A failure is a bug in this program. */
export function assert(condition: unknown, what: string): asserts condition {
  if (!condition) throw new Error(`bug: ${what}`);
}
