/**
 * Who may stay on a connection. It bounds the requests before a login, and finds out whether a user
 * who has logged in is still one of the users. Used by session.ts.
 */
import { DfsError } from "../../errors.ts";
import { LOGIN_ATTEMPTS_PER_CONNECTION } from "./login_limits.ts";
import type { Kind } from "../../wire/messages.ts";
import type { UserTable } from "./login.ts";

/**
 * The user of a connection. An operator keeps the cluster, and so may act in every space. Where
 * servers know no users, everybody is an operator.
 */
export interface Requester {
  readonly user: string;
  readonly isOperator: boolean;
}

/** The user of every connection where there are no users. */
export const ANYBODY: Requester = { user: "", isOperator: true };

/** The kinds of requests that answer a challenge, and those that open a conversation. */
const PROOFS: ReadonlySet<Kind> = new Set(["proof"]);
const OPENINGS: ReadonlySet<Kind> = new Set(["hello", "login"]);

/** Counts the requests of a connection before its user is known. */
export class OpeningLimit {
  #openings = 0;
  #proofs = 0;

  /**
   * Throws DfsError("protocol") if this request is one too many, or may not be asked before a
   * login.
   */
  check(kind: Kind): void {
    const isOpening = OPENINGS.has(kind);
    if (!isOpening && !PROOFS.has(kind))
      throw new DfsError("protocol", "the first request must be login or hello");
    const count = isOpening ? ++this.#openings : ++this.#proofs;
    if (count > LOGIN_ATTEMPTS_PER_CONNECTION)
      throw new DfsError("protocol", "this connection has tried often enough; open another");
  }
}

/** Is this user still in the table, with at least the rights of that time? */
export function isStillUser(requester: Requester, users: UserTable | null): boolean {
  if (users === null || requester === ANYBODY) return users === null && requester === ANYBODY;
  const known = users.get(requester.user);
  return known !== undefined && (known.isOperator || !requester.isOperator);
}
