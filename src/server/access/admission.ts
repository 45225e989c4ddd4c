/** Who may stay on a connection: who says who they are in few requests, and from then on who is still one of the users. */
import { DfsError } from "../../errors.ts";
import { LOGIN_ATTEMPTS_PER_CONNECTION } from "../../limits.ts";
import type { Kind } from "../../wire/messages.ts";
import type { UserTable } from "./login.ts";

/** Who asks. An operator keeps the cluster, and so may act in every space; where servers know no users everybody is one. */
export interface Who {
  readonly user: string;
  readonly isOperator: boolean;
}

/** Where there are no users. */
export const ANYBODY: Who = { user: "", isOperator: true };

/** Those that a proof answers, and those that begin something. */
const PROOFS: ReadonlySet<Kind> = new Set(["proof"]);
const OPENINGS: ReadonlySet<Kind> = new Set(["hello", "login"]);

/** Counts the requests of a connection before it is known who asks. */
export class Opening {
  #openings = 0;
  #proofs = 0;

  /** Throws DfsError("protocol") where this is one too many, or one that nobody may ask yet. */
  check(kind: Kind): void {
    const isOpening = OPENINGS.has(kind);
    if (!isOpening && !PROOFS.has(kind))
      throw new DfsError("protocol", "the first request must be login or hello");
    const count = isOpening ? ++this.#openings : ++this.#proofs;
    if (count > LOGIN_ATTEMPTS_PER_CONNECTION)
      throw new DfsError("protocol", "this connection has tried often enough; open another");
  }
}

/** Is this still one of the users, with as much right as then? */
export function isStill(who: Who, users: UserTable | null): boolean {
  if (users === null || who === ANYBODY) return users === null && who === ANYBODY;
  const known = users.get(who.user);
  return known !== undefined && (known.isOperator || !who.isOperator);
}
