/** Over a network that others reach: who stands between a user and the servers, or says to be one, learns nothing and changes nothing. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { DfsError } from "../../src/errors.ts";
import { bunClock, bunNet, bunRandom } from "../../src/io/bun.ts";
import { bunDisk } from "../../src/io/bun_disk.ts";
import { newCertificate } from "../../src/server/process/certificate.ts";
import { serve } from "../../src/server/serve.ts";
import {
  ERROR,
  errorOf,
  type Frame,
  FrameParser,
  REPLY,
  requestFrame,
} from "../../src/wire/frames.ts";
import { HELLO } from "../../src/wire/handshake.ts";
import { MESSAGES } from "../../src/wire/messages.ts";
import { newFolder, removeFolders } from "../harness/program.ts";
import { Computer, lineOf, REFUSED, usersFile } from "./computer.ts";
import { holdingsOf } from "./holdings.ts";
import { type Answers, HOST, Impostor, Middleman, QUIET } from "./middleman.ts";
import { Stage } from "../harness/stage.ts";
import { WireTap } from "./wire_tap.ts";

setDefaultTimeout(180_000);

const USER = "Alice";
const PASSWORD = "SimplePassword";
const WHO = lineOf(USER, PASSWORD);
const COMMANDS = [
  ["put", "file"],
  ["get", "there"],
  ["list"],
  ["stat", "there"],
  ["rm", "there"],
  ["mkdir", "folder"],
  ["status"],
  ["verify"],
  ["repair"],
  ["rebalance"],
  ["server", "list"],
  ["server", "drain", "DFS2"],
  ["server", "remove", "DFS2"],
  ["user", "passwd"],
];

interface Address {
  readonly name: string;
  readonly port: number;
}

let users = "";
let stage: Stage;
let alice: Computer;
beforeAll(async () => {
  users = await usersFile({ [USER]: PASSWORD });
  stage = await Stage.open(4, { users, host: HOST });
  alice = new Computer(stage.servers, WHO, HOST);
  await alice.put("there", randomBytes(100_000));
});
afterAll(async () => {
  await stage.close();
  removeFolders();
});

/** The servers, with others in the places of the first of them. */
const withOthers = (others: readonly Address[]): Address[] => [
  ...others,
  ...stage.servers.slice(others.length),
];

/** Each command with these in the servers' places is refused, and changes nothing; `line` is what is said of it. */
async function expectRefused(others: readonly Address[], line: RegExp): Promise<void> {
  const before = holdingsOf(stage.servers);
  for (const [i, args] of COMMANDS.entries()) {
    const computer = new Computer(withOthers(others), WHO, HOST);
    writeFileSync(join(computer.folder, "file"), "content");
    const ran = await computer.dfsWith({ DFS_NEW_PASSWORD: "new" }, ...args);
    expect({ args, status: ran.status, out: ran.out }).toEqual({ args, status: 12, out: "" });
    expect(ran.err).toMatch(line);
    // A login that is right makes the servers forget those that failed.
    if (i % 2 === 1) expect(await alice.list()).toBe("there\n");
  }
  expect(holdingsOf(stage.servers)).toEqual(before);
}

test("who says no user at all, or no password, is told the same as with a wrong one", async () => {
  for (const who of ["", `Username: ${USER}\n`]) {
    const { status, out, err } = await new Computer(stage.servers, who, HOST).dfs("list");
    expect({ status, out }).toEqual({ status: 12, out: "" });
    expect(err).toMatch(REFUSED);
  }
});

/** The frames in what was heard. */
const framesIn = (heard: readonly Uint8Array[]): Frame[] => {
  const parser = new FrameParser();
  parser.trust();
  return heard.flatMap((bytes) => [...parser.push(bytes)]);
};

/** A frame as it went over the wire. */
function bytesOf({ kind, id, body }: Frame): Uint8Array {
  const head = Buffer.alloc(9);
  head.writeUInt32BE(5 + body.length);
  head.writeUInt8(kind, 4);
  head.writeUInt32BE(id, 5);
  return Buffer.concat([head, body]);
}

/** Says to a server, on a new connection, what somebody else has said; what it answers a hello with in the end. */
async function replay(
  frames: readonly Frame[],
  host: string,
  port: number,
  secure: boolean,
): Promise<DfsError | null> {
  const conn = await bunNet.connect(host, port, 5000, secure);
  const parser = new FrameParser();
  parser.trust();
  const ask = async (bytes: Uint8Array): Promise<Frame | null> => {
    await conn.write(bytes);
    for (let more = await conn.read(); more; more = await conn.read())
      for (const frame of parser.push(more)) return frame;
    return null;
  };
  try {
    for (const frame of frames) if (!(await ask(bytesOf(frame)))) break;
    const last = await ask(Buffer.concat(requestFrame("hello", 1_000_000, HELLO)));
    if (last === null) return new DfsError("down", "it has closed the connection");
    return last.kind === REPLY ? null : errorOf(last.body);
  } catch {
    return new DfsError("down", "it has closed the connection");
  } finally {
    conn.close();
  }
}

describe.each([
  [
    "one server",
    1,
    /^dfs-tool: DFS1: Invalid Username\/Password\. Please try again\. \(Others take .*\)\n$/,
  ],
  [
    "all servers",
    4,
    /^dfs-tool: warning: if the password is right, somebody may be between .*\nInvalid Username\/Password\. Please try again\.\n$/,
  ],
])("a man in the middle, before %s", (_where, count, line) => {
  let men: Middleman[] = [];
  beforeAll(async () => {
    men = await Promise.all(
      stage.servers.slice(0, count).map((server) => Middleman.before(server)),
    );
  });
  afterAll(() => {
    for (const man of men) man.close();
  });

  test("is noticed by every command", () => expectRefused(men, line));

  test("can use nothing of what was said to log in", async () => {
    for (const [slot, man] of men.entries()) {
      const sessions = man.asked.map(framesIn).filter((frames) => frames.length > 1);
      expect(sessions.length).toBeGreaterThanOrEqual(COMMANDS.length);
      for (const frames of sessions.slice(0, 3)) {
        expect(frames.map(({ kind }) => kind)).toEqual([
          MESSAGES.login.number,
          MESSAGES.proof.number,
        ]);
        const told = await replay(frames, HOST, stage.server(slot).port, true);
        expect(told?.code).toBeOneOf(["login", "down"]);
        expect(await alice.list()).toBe("there\n");
      }
      // The server has answered no proof, so that he has nothing to show to a client either.
      const answers = man.answered.flatMap((heard) =>
        framesIn(heard).filter((_, i) => i % 2 === 1),
      );
      expect(new Set(answers.map(({ kind }) => kind))).toEqual(new Set([ERROR]));
    }
  });
});

test("a login that went well, on a wire without TLS, is good for that one connection", async () => {
  const near = await Stage.open(1, { users });
  const tap = await WireTap.before(near.server(0));
  try {
    await new Computer([tap], WHO).put("file", "content");
    const sessions = tap.heard.map((bytes) => framesIn([new Uint8Array(bytes)]));
    const [frames = []] = sessions.filter(([first]) => first?.kind === MESSAGES.login.number);
    expect(frames.length).toBeGreaterThan(5);
    const before = holdingsOf(near.servers);
    for (const [host, port, secure] of [
      ["127.0.0.1", near.server(0).port, false],
      [HOST, stage.server(0).port, true],
    ] as const) {
      const told = await replay(frames, host, port, secure);
      expect(told?.code).toBeOneOf(["login", "protocol", "down"]);
    }
    expect(holdingsOf(near.servers)).toEqual(before);
  } finally {
    tap.close();
    await near.close();
  }
});

/** As a server of ours would, but for the proof. */
const GUESSING: Answers = {
  challenge: () => ({
    challenge: { nonce: randomBytes(32), sid: randomBytes(16).toString("hex") },
  }),
  proof: () => randomBytes(32),
};

describe("who says to be a server", () => {
  test("and asks for no login at all is sent no proof", async () => {
    const impostor = await Impostor.open("DFS1", {
      ...GUESSING,
      challenge: () => ({ challenge: null }),
    });
    await expectRefused([impostor], /^dfs-tool: DFS1 \([^)]*\) cannot prove that it is the right/);
    expect(new Set(impostor.kinds)).toEqual(new Set([MESSAGES.login.number]));
    impostor.close();
  });

  test("and lets everybody in cannot prove that", async () => {
    const impostor = await Impostor.open("DFS1", GUESSING);
    await expectRefused([impostor], /^dfs-tool: DFS1 \(.*it does not know the password itself\n$/);
    impostor.close();
  });

  test("and is one, but knows no users", async () => {
    const folder = newFolder();
    const ports = { clock: bunClock, random: bunRandom, net: bunNet, disk: bunDisk };
    const server = await serve(
      ports,
      {
        folder,
        catalogFolder: folder,
        trashGraceMs: 60_000,
        inlineBytes: 0,
        ...QUIET,
        scrubIdleMs: 60_000,
        host: HOST,
        port: 0,
        release: "0.1.0",
        users: async () => null,
        changeVerifier: async () => {},
        certificate: await newCertificate(),
      },
      () => {},
    );
    const other = { name: "DFS1", port: server.port };
    await expectRefused([other], /^dfs-tool: DFS1 \(.*it knows no users\n$/);
    await server.stop();
  });

  test("and is one, but knows the user by another password", async () => {
    const others = await Stage.open(1, { users: await usersFile({ [USER]: "other" }), host: HOST });
    const before = holdingsOf(others.servers);
    const computer = new Computer(withOthers(others.servers), WHO, HOST);
    const ran = await computer.dfs("list");
    expect(ran).toMatchObject({ status: 12, out: "" });
    expect(ran.err).toStartWith(`dfs-tool: DFS1: ${REFUSED} (Others take this password`);
    expect(holdingsOf(others.servers)).toEqual(before);
    await others.close();
  });

  test("without TLS is told nothing, not even who asks", async () => {
    const plain = await Promise.all(
      stage.servers.map(({ name }) => Impostor.open(name, GUESSING, true)),
    );
    const computer = new Computer(plain, WHO, HOST);
    for (const args of [["list"], ["stat", "there"], ["server", "list"]])
      expect(await computer.dfs(...args)).toMatchObject({ status: 5, out: "" });
    for (const { kinds, heard } of plain) {
      expect(kinds).toEqual([]);
      const bytes = Buffer.concat(heard);
      expect(bytes.length).toBeGreaterThan(0);
      for (const word of [USER, PASSWORD, "there"]) expect(bytes.includes(word)).toBe(false);
    }
    for (const one of plain) one.close();
  });
});
