/**
 * The notices of a server to its operator (the log of `serve`), in one place, so that it is easy to
 * see what they contain: users, machines, numbers of versions. They contain no password and no name
 * of a file: the names of files concern only their user. Used by serve.ts, login.ts and
 * cluster_answers.ts.
 */
import type { Notice } from "../../io/ports.ts";
import type { Config } from "../../membership.ts";
import type { Health } from "../../store/pieces/scrub.ts";

/** The user of a request, and the address that it came from. */
export interface Asker {
  readonly user: string;
  /** As a connection tells it: "127.0.0.1:10001". */
  readonly from: string;
}

const byText = ({ user, from }: Asker): string => `by ${user || "a client"} from ${from}`;
const factsOf = ({ user, from }: Asker) => ({ from, ...(user && { user }) });

/** `user` is null if there is no user of that name: the text may have been a password. */
export const loginFailed = (user: string | null, from: string, isHeard: boolean): Notice => ({
  level: "warning",
  event: "login-failed",
  line: `login of ${user ?? "an unknown user"} from ${from} failed${isHeard ? "" : ", unheard: too many fail just now"}`,
  facts: { from, ...(user !== null && { user }) },
});

export const passwordChanged = (user: string): Notice => ({
  level: "info",
  event: "password-changed",
  line: `${user} changed the password of ${user}`,
  facts: { user },
});

export const clusterJoined = (cluster: string, asker: Asker): Notice => ({
  level: "info",
  event: "cluster-joined",
  line: `taken into the cluster ${cluster.slice(0, 8)} ${byText(asker)}`,
  facts: { cluster, ...factsOf(asker) },
});

/** A server that replaces another mostly has its name; then the id tells them apart. */
function labelOf({ seats, voters, next }: Config, slot: number): string {
  const seat = seats[slot];
  const name = seat?.name ?? "?";
  const alike = new Set(
    [...voters, ...(next ?? [])].filter((other) => seats[other]?.name === name),
  );
  return alike.size > 1 ? `${name} (${seat?.sid?.slice(0, 8)})` : name;
}

/** Another configuration is in force at this server now. */
export function clusterChanged(config: Config, asker: Asker): Notice {
  const { epoch, voters, next, leaving } = config;
  const named = (slots: readonly number[]): string =>
    slots.map((slot) => labelOf(config, slot)).join(", ");
  const members = next
    ? `who makes the cluster changes from ${named(voters)} to ${named(next)}`
    : `${named(voters)} make the cluster`;
  const drained = leaving.length > 0 ? `; no new pieces for ${named(leaving)}` : "";
  return {
    level: "info",
    event: "cluster-changed",
    line: `${members}${drained} (epoch ${epoch}, ${byText(asker)})`,
    facts: {
      epoch,
      servers: named(voters),
      ...(next && { next: named(next) }),
      ...(leaving.length > 0 && { leaving: named(leaving) }),
      ...factsOf(asker),
    },
  };
}

/** All pieces that were due were read back. */
export const scrubbed = ({ pieces, bad }: Health): Notice => ({
  level: bad > 0 ? "info" : "verbose",
  event: "scrubbed",
  line: `all pieces were read back: ${pieces} are good${bad > 0 ? `, ${bad} damaged` : ""}`,
  facts: { pieces, bad },
});
