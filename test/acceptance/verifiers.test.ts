/** Servers that have older verifiers and newer ones: who may log in where, with what was learned from whom. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHmac, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { verifierText } from "../../src/server/users/users.ts";
import { Peer } from "../../src/client/connect/peer.ts";
import { bunClock, bunNet, bunRandom } from "../../src/io/bun.ts";
import { stretch } from "../../src/io/stretch.ts";
import {
  type Credentials,
  credentialsOf,
  proofOf,
  verifierOf,
  signedBytesOf,
} from "../../src/wire/login.ts";
import { scramVerifierOf } from "../../src/wire/scram.ts";
import { newFolder, removeFolders } from "../harness/program.ts";
import { Computer, lineOf, REFUSED } from "./computer.ts";
import { writeOwned } from "../harness/password.ts";
import { expectDone, Stage } from "../harness/stage.ts";

setDefaultTimeout(120_000);

const USER = "Alice";
const PASSWORD = "SimplePassword";

let login = "";
let old = "";
let signed = "";
beforeAll(async () => {
  ({ login } = await stretch(USER, PASSWORD));
  old = `${USER} ${verifierText(scramVerifierOf(USER, login))}\n`;
  signed = `${USER} ${verifierText(verifierOf(USER, login))}\n`;
});
afterAll(removeFolders);

/** A cluster that reads its users from a file with this text. */
async function stageWith(text: string): Promise<{ stage: Stage; users: string }> {
  const users = join(newFolder(), "dfs.conf");
  writeOwned(users, text);
  return { stage: await Stage.open(3, { users }), users };
}

test("an older verifier does until its user changes the password, then the newer kind is there", async () => {
  const { stage, users } = await stageWith(old);
  const alice = new Computer(stage.servers, lineOf(USER, PASSWORD));
  await alice.put("file", "content");
  expect(readFileSync(users, "utf8")).toBe(old);
  expectDone(await alice.dfsWith({ DFS_NEW_PASSWORD: "another" }, "user", "passwd"));
  expect(readFileSync(users, "utf8")).toMatch(/^Alice Ed25519\$[^ $]{44}\$[^ $]{44}\n$/);
  const later = new Computer(stage.servers, lineOf(USER, "another"));
  expect((await later.get("file")).toString()).toBe("content");
  await stage.close();
});

test("a computer that has logged in by signature shows nothing older any more", async () => {
  const { stage, users } = await stageWith(signed);
  const alice = new Computer(stage.servers, lineOf(USER, PASSWORD));
  await alice.put("file", "content");
  // Somebody has put the older verifier of the same password back, to learn more from the next login.
  writeOwned(users, old);
  expect(await alice.dfs("list")).toEqual({ status: 12, out: "", err: `${REFUSED}\n` });
  writeOwned(users, signed);
  expect(await alice.list()).toBe("file\n");
  await stage.close();
});

/** Somebody who was shown these proofs as a server with the older verifier, and works out what they give away (RFC 5802, section 9). */
function thiefOf(alice: Credentials): Credentials {
  const exchange = {
    user: USER,
    clientNonce: randomBytes(32),
    serverNonce: randomBytes(32),
    sid: "3".repeat(32),
    binding: null,
  };
  const shown = proofOf(alice, exchange, true);
  const older = scramVerifierOf(USER, login);
  const mask = createHmac("sha256", older.storedKey).update(signedBytesOf(exchange)).digest();
  const clientKey = (shown.scram ?? mask).map((byte, i) => byte ^ (mask[i] ?? 0));
  const seed = shown.signature.slice(0, 32);
  return {
    user: USER,
    signing: { ...verifierOf(USER, login), seed },
    scram: () => ({ ...older, clientKey }),
  };
}

describe("a server that its user has logged in to", () => {
  const enter = async (stage: Stage, credentials: Credentials): Promise<Peer> => {
    const ports = { clock: bunClock, net: bunNet, random: bunRandom };
    const { name, port } = stage.server(0);
    const options = { login: { credentials: [Promise.resolve(credentials)], offersScram: true } };
    const { peer } = await Peer.connect(ports, { name, host: "127.0.0.1", port }, options);
    return peer;
  };

  test("can log in elsewhere as that user where the verifiers are older, and lock the user out", async () => {
    const { stage } = await stageWith(old);
    const peer = await enter(stage, thiefOf(credentialsOf(USER, login)));
    await peer.changeVerifier(verifierOf(USER, "the thief's"));
    peer.close();
    const alice = new Computer(stage.servers, lineOf(USER, PASSWORD));
    expect((await alice.dfs("list")).status).toBe(12);
    await stage.close();
  });

  test("cannot where they are newer", async () => {
    const { stage, users } = await stageWith(signed);
    const entering = enter(stage, thiefOf(credentialsOf(USER, login)));
    expect(await entering.catch(({ code }: { code: string }) => code)).toBe("login");
    expect(readFileSync(users, "utf8")).toBe(signed);
    expect(await new Computer(stage.servers, lineOf(USER, PASSWORD)).list()).toBe("");
    await stage.close();
  });
});

test("who is no operator gives no new server to a cluster of their own", async () => {
  const bob = `Bob ${verifierText(verifierOf("Bob", (await stretch("Bob", "bobs")).login))}\n`;
  const { stage } = await stageWith(signed + bob);
  const ran = await new Computer(stage.servers, lineOf("Bob", "bobs")).dfs("list");
  expect(ran).toMatchObject({ status: expect.any(Number), out: "" });
  expect(ran.err).toMatch(
    /^dfs-tool: [^\n]*Bob is no operator, and a new server begins with one[^\n]*\n$/,
  );
  expect(await new Computer(stage.servers, lineOf(USER, PASSWORD)).list()).toBe("");
  expect(await new Computer(stage.servers, lineOf("Bob", "bobs")).list()).toBe("");
  await stage.close();
});
