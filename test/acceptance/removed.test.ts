/** Who is removed from the users, or is an operator no more, is cut off where they are logged in. */
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { Peer } from "../../src/client/connect/peer.ts";
import { bunClock, bunNet, bunRandom } from "../../src/io/bun.ts";
import { stretch } from "../../src/io/stretch.ts";
import { credentialsOf } from "../../src/wire/login.ts";
import { newFolder, removeFolders, run } from "../harness/program.ts";
import { expectDone, Stage } from "../harness/stage.ts";

setDefaultTimeout(60_000);
afterAll(removeFolders);

test("a user who was removed loses the connections that are open, and the others keep theirs", async () => {
  const users = join(newFolder(), "users.conf");
  const passwords = { alice: "first password", bob: "another one" };
  for (const [name, password] of Object.entries(passwords))
    expectDone(
      await run(["user", "add", users, name, "-q"], { env: { DFS_NEW_PASSWORD: password } }),
    );
  const stage = await Stage.open(1, { users });
  const logIn = async (name: keyof typeof passwords): Promise<Peer> => {
    const { login } = await stretch(name, passwords[name]);
    const credentials = [Promise.resolve(credentialsOf(name, login))];
    const ports = { clock: bunClock, net: bunNet, random: bunRandom };
    const address = { name, host: "127.0.0.1", port: stage.server(0).port };
    return (
      await Peer.connect(ports, address, {
        login: { credentials, offersScram: true },
      })
    ).peer;
  };
  try {
    const [alice, bob] = await Promise.all([logIn("alice"), logIn("bob")]);
    expectDone(await run(["user", "remove", users, "bob"]));
    while (!bob.isDown) await Bun.sleep(20);
    expect(alice.isDown).toBe(false);
    await alice.hello();
    alice.close();
  } finally {
    await stage.close();
  }
});
