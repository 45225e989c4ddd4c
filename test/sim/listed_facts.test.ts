/** The facts that a list tells: those of the files, whatever a server says. */
import { named } from "../harness/named.ts";
import { expect, test } from "bun:test";
import { decode, encode } from "../../src/bytes.ts";
import { entriesIn } from "../../src/client/files/list.ts";
import { stat } from "../../src/client/files/stat.ts";
import type { Net } from "../../src/io/ports.ts";
import { valuesCodec } from "../../src/version.ts";
import type { Kind, ReplyOf } from "../../src/wire/messages.ts";
import type { ListEntry } from "../../src/wire/values.ts";
import { textOf } from "./levels.ts";
import { Stage } from "./levels_stage.ts";
import { LyingConn } from "./lying_conn.ts";

test.each([false, true])("facts are those that stat tells, sealed: %p", (isSealed) => {
  const stage = new Stage(isSealed);
  stage.put("d/", "d/one", "two");
  const told = stage.run(async (cluster) => {
    const entries = await Array.fromAsync(entriesIn(cluster, { facts: true }));
    return Promise.all(
      entries.map(async (entry) =>
        "name" in entry ? [entry, await stat(cluster, named(entry.name))] : [],
      ),
    );
  });
  expect(told.length).toBe(3);
  for (const [entry, known] of told) {
    const { bytes, attributes, vid } = known as Awaited<ReturnType<typeof stat>>;
    expect(entry).toMatchObject({ bytes, facts: { bytes, attributes, vid } });
  }
});

/** A network on which one server forges newer versions in lists, and nowhere else. */
let forgeries = 0;
const forging = (net: Net): Net => ({
  ...net,
  connect: async (host, port, ms, secure) => {
    const conn = await net.connect(host, port, ms, secure);
    const forged = ({ values, ...entry }: ListEntry): ListEntry => {
      forgeries++;
      const { com } = decode(valuesCodec, values);
      const version = { ...com!.version, size: 999, vid: "6".repeat(32) };
      const value = { ballot: com!.ballot + (1n << 64n), version };
      return { ...entry, values: encode(valuesCodec, { acc: value, com: value }) };
    };
    const answer = <K extends Kind>(kind: K, told: ReplyOf<K>): ReplyOf<K> =>
      kind === "list" && "entries" in told
        ? { ...told, entries: told.entries.map((one) => (one.name === "." ? one : forged(one))) }
        : told;
    return host === "dfs2" ? new LyingConn(conn, { answer }) : conn;
  },
});

test("facts that nobody with the keys gave are not told", () => {
  const stage = new Stage(true);
  stage.put("one", "two");
  const facts = (net?: (honest: Net) => Net) =>
    stage.run((cluster) => Array.fromAsync(entriesIn(cluster, { facts: true })), net);
  const honest = facts();
  expect(honest.map(textOf)).toEqual(["one", "two"]);
  expect(facts(forging)).toEqual(honest);
  expect(forgeries).toBe(2);
});
