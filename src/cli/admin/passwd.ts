/**
 * dfs-tool user passwd without a place: changes the user's own password, on all servers. While
 * servers change over, the master key is sealed under both passwords; if that is cut short, the
 * same command goes on with it. Used by user.ts.
 */
import type { Cluster } from "../../client/connect/cluster.ts";
import { Opener } from "../../client/trust/opener.ts";
import { rewrap } from "../../client/agree/unlock.ts";
import { asDfsError, assert, DfsError } from "../../errors.ts";
import { passwordIn } from "../../io/stretch.ts";
import { verifierOf } from "../../wire/login.ts";
import type { SignatureVerifier } from "../../wire/signature.ts";
import type { CommonFlags } from "../../terminal/flags.ts";
import { newPassword } from "../config/ask_for.ts";
import { setUp, type Setup, withCluster } from "../config/open.ts";
import { print } from "../../terminal/stdout.ts";

/**
 * Changes the password of the user that dfc.conf names. If $DFS_OLD_PASSWORD is set, the servers
 * have the present password already: then only the key is sealed anew, under the present password
 * instead of the old one. Returns the exit status.
 */
export async function changeOwnPassword(flags: CommonFlags): Promise<number> {
  const setup = await setUp(flags);
  const { user, path } = setup.configuration;
  if (user === "")
    throw new DfsError(
      "usage",
      `${path} names no user; another's password is changed by dfs-tool user passwd PLACE NAME`,
    );
  if (!setup.password)
    throw new DfsError("usage", `it takes the password of now: in ${path}, or $DFS_PASSWORD`);
  const old = process.env.DFS_OLD_PASSWORD;
  await (old === undefined ? changePassword(setup, user) : resealKey(setup, user, old));
  return 0;
}

async function resealKey(setup: Setup, user: string, old: string): Promise<void> {
  const before = new Opener(passwordIn(user, old));
  await withCluster(
    setup,
    async (cluster, now) => {
      assert(now, "there is a password");
      await rewrap(cluster, [before, now], [now]);
    },
    { keys: "none" },
  );
  await print(`the key of ${user} is sealed with the password of now`);
}

async function changePassword(setup: Setup, user: string): Promise<void> {
  const nextPassword = passwordIn(user, await newPassword(user));
  const next = new Opener(nextPassword);
  await withCluster(
    setup,
    async (cluster, now) => {
      assert(now, "there is a password");
      const silent = cluster.silent.map((slot) => cluster.labelOf(slot));
      if (silent.length > 0)
        throw new DfsError(
          "tooFew",
          `${silent.join(", ")} must answer too, or would go on with the old password; nothing was changed`,
        );
      const open = cluster.live.filter((slot) => !cluster.peer(slot)?.loggedIn);
      if (open.length > 0)
        throw new DfsError(
          "usage",
          `${open.map((slot) => cluster.labelOf(slot)).join(", ")} knows no users: give it the others' file of users; nothing was changed`,
        );
      await rewrap(cluster, [now, next], [now, next]);
      await changeAll(cluster, verifierOf(user, await nextPassword.login));
      await rewrap(cluster, [next], [next]);
    },
    { keys: "none", nextPassword },
  );
  await print(`the password of ${user} is changed: write the new one where the old one was`);
}

/**
 * Throws the error of a server: then some servers have the new password, and others the old one.
 */
async function changeAll(cluster: Cluster, verifier: SignatureVerifier): Promise<void> {
  for (const slot of cluster.view.members) {
    try {
      const peer = cluster.peer(slot);
      if (!peer) throw new DfsError("down", "it stopped answering");
      await peer.changeVerifier(verifier);
    } catch (error) {
      const { code, message } = asDfsError(error);
      throw new DfsError(
        code,
        `${cluster.labelOf(slot)}: ${message}; some servers may have the new password already: run the command again, with the same one`,
      );
    }
  }
}
