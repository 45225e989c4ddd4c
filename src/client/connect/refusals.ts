/**
 * Servers that refuse the password while a client connects, or that ask for none, and what to tell
 * the user of that. Used by connections.
 */
import { DfsError, INVALID_LOGIN } from "../../errors.ts";
import type { ServerAddress } from "../../membership.ts";
import type { ConnectAttempt, Greeted } from "./greeter.ts";

/** What may be wrong when one server refuses a password that others take. */
const REFUSED_BY_ONE =
  "(Others take this password: either a change of it was cut short, and dfs-tool user passwd goes on with it when told the same two; or its file of users is older than theirs; or this is not the right server.)";

export const isRefusal = (attempt: ConnectAttempt): attempt is ConnectAttempt & { greeted: null } =>
  !attempt.greeted && attempt.error.code === "login";

/** Warns of servers that let everybody in: they were started without their file of users. */
export function warnOfOpen(greeted: readonly Greeted[], warn: (line: string) => void): void {
  for (const { peer } of greeted)
    if (!peer.loggedIn)
      warn(
        `${peer.label} knows no users, as the others do: whoever reaches it can change what it holds; give it their file of users`,
      );
}

export class Refusals {
  readonly #lines: string[] = [];

  get isEmpty(): boolean {
    return this.#lines.length === 0;
  }

  note({ name }: ServerAddress, { message }: DfsError): void {
    const line = message === INVALID_LOGIN ? `${name}: ${INVALID_LOGIN}` : message;
    if (!this.#lines.includes(line)) this.#lines.push(line);
  }

  /** Throws DfsError("login") where any server refused. `answering`: how many let the client in. */
  check(answering: number): void {
    const [first] = this.#lines;
    if (first === undefined) return;
    // Where all servers refuse the password, the password is wrong. A refusal that stands alone may
    // come from somebody in between.
    const isAlike = this.#lines.every((line) => line.endsWith(INVALID_LOGIN));
    if (isAlike && answering === 0) throw new DfsError("login", INVALID_LOGIN);
    throw new DfsError(
      "login",
      first.endsWith(INVALID_LOGIN) ? `${first} ${REFUSED_BY_ONE}` : first,
    );
  }
}
