/**
 * What a server tells who runs it (serve's log), in one place, so that it can be seen what is in it: people, machines, numbers of versions.
 * No password, and no name of a file: those that lie in the open are nobody's business but their user's.
 */
import type { Told } from "../../io/ports.ts";
import type { Config } from "../../membership.ts";
import type { Health } from "../../store/pieces/scrub.ts";

/** Who asked for something, and from where. */
export interface Asker {
  readonly user: string;
  /** As a connection says it: "127.0.0.1:10001". */
  readonly from: string;
}

const byText = ({ user, from }: Asker): string => `by ${user || "a client"} from ${from}`;
const factsOf = ({ user, from }: Asker) => ({ from, ...(user && { user }) });

/** `user` is null where there is none of that name: what was taken for it may have been a password. */
export const loginFailed = (user: string | null, from: string, isHeard: boolean): Told => ({
  level: "warning",
  event: "login-failed",
  line: `login of ${user ?? "an unknown user"} from ${from} failed${isHeard ? "" : ", unheard: too many fail just now"}`,
  facts: { from, ...(user !== null && { user }) },
});

export const passwordChanged = (user: string): Told => ({
  level: "info",
  event: "password-changed",
  line: `${user} changed the password of ${user}`,
  facts: { user },
});

export const clusterJoined = (cluster: string, by: Asker): Told => ({
  level: "info",
  event: "cluster-joined",
  line: `taken into the cluster ${cluster.slice(0, 8)} ${byText(by)}`,
  facts: { cluster, ...factsOf(by) },
});

/** A server that takes the place of another has mostly its name: then the id is what tells them apart. */
function labelOf({ seats, voters, next }: Config, slot: number): string {
  const seat = seats[slot];
  const name = seat?.name ?? "?";
  const alike = new Set([...voters, ...(next ?? [])].filter((one) => seats[one]?.name === name));
  return alike.size > 1 ? `${name} (${seat?.sid?.slice(0, 8)})` : name;
}

/** This server goes by another configuration now. */
export function clusterChanged(config: Config, by: Asker): Told {
  const { epoch, voters, next, leaving } = config;
  const named = (slots: readonly number[]): string =>
    slots.map((slot) => labelOf(config, slot)).join(", ");
  const who = next
    ? `who makes the cluster changes from ${named(voters)} to ${named(next)}`
    : `${named(voters)} make the cluster`;
  const drained = leaving.length > 0 ? `; no new pieces for ${named(leaving)}` : "";
  return {
    level: "info",
    event: "cluster-changed",
    line: `${who}${drained} (epoch ${epoch}, ${byText(by)})`,
    facts: {
      epoch,
      servers: named(voters),
      ...(next && { next: named(next) }),
      ...(leaving.length > 0 && { leaving: named(leaving) }),
      ...factsOf(by),
    },
  };
}

/** All pieces that were due were read back. */
export const scrubbed = ({ pieces, bad }: Health): Told => ({
  level: bad > 0 ? "info" : "verbose",
  event: "scrubbed",
  line: `all pieces were read back: ${pieces} are good${bad > 0 ? `, ${bad} damaged` : ""}`,
  facts: { pieces, bad },
});
