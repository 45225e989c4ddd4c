/** Names that would do something to a terminal: they come out as text, and can be had and removed all the same. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { propose } from "../../src/client/agree/propose.ts";
import { NO_ATTRIBUTES } from "../../src/file/attributes.ts";
import { encodeManifest } from "../../src/file/manifest.ts";
import { tombstone } from "../../src/version.ts";
import { executable } from "../harness/program.ts";
import { without } from "./in_process.ts";
import { isSealed } from "../harness/password.ts";
import { Stage } from "../harness/stage.ts";
import { inStore } from "../harness/named.ts";

setDefaultTimeout(60_000);

/** CSI in one character, and an override of the direction: what names could be had before these were refused. */
const EVIL = inStore("evil\u009b31mred\u009b0m\u202egpj.\u2028txt");
const SHOWN = "evil\\u009b31mred\\u009b0m\\u202egpj.\\u2028txt";

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open(3);
  await stage.put("good", Buffer.from("good"));
  // As an older client would, or one that somebody made.
  await without(stage, [], async (cluster) => {
    if (isSealed) return;
    const vid = "ab".repeat(16);
    const body = encodeManifest({ attributes: NO_ATTRIBUTES, roots: [Buffer.alloc(32)] });
    const content = {
      ...tombstone(vid),
      deleted: false,
      cid: vid,
      pieces: 1,
      needed: 1,
      copies: 1,
      ring: [0],
      size: 3,
      body,
    };
    const outcome = await propose(cluster, EVIL, { content, condition: null, supply: null });
    expect(outcome).toMatchObject({ is: "done" });
  });
});
afterAll(() => stage.close());

test.skipIf(isSealed)(
  "into a pipe a list gives them as they are stored; in JSON they are escaped",
  async () => {
    const { out } = await stage.dfs("list");
    expect(out).toBe(`${EVIL} [incomplete]\ngood\n`);
    const json = await stage.dfs("list", "--json");
    expect(json.out).toContain(`"${SHOWN}"`);
    expect((JSON.parse(json.out) as { name: string }[]).map(({ name }) => name)).toEqual([
      EVIL,
      "good",
    ]);
  },
);

test.skipIf(isSealed || !Bun.which("script"))("on a terminal a list gives text", async () => {
  const command = `'${executable}' list --config '${stage.config}'`;
  const child = Bun.spawn(["script", "-qec", command, "/dev/null"], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  expect(await new Response(child.stdout).text()).toBe(`${SHOWN} [incomplete]\r\ngood\r\n`);
});

test.skipIf(isSealed)("all other commands give text", async () => {
  for (const command of [["verify"], ["repair", "--dry-run"], ["stat", EVIL], ["get", EVIL]]) {
    const { out, err } = await stage.dfs(...command);
    expect(out + err).toContain(SHOWN);
    expect(out + err).not.toMatch(/[\u0080-\u009f\u202e\u2028]/);
  }
});

test("a new one is not taken", async () => {
  writeFileSync(join(stage.home, "local"), "x");
  const { status, out, err } = await stage.dfs("put", join(stage.home, "local"), "--name", EVIL);
  expect([status, out]).toEqual([2, ""]);
  expect(err).toContain(SHOWN);
});

test.skipIf(isSealed)("they can be removed", async () => {
  expect(await stage.dfs("rm", EVIL)).toMatchObject({ status: 0 });
  expect((await stage.dfs("list")).out).toBe("good\n");
});
