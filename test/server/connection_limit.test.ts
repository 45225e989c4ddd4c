/** Which connection goes when there are too many. */
import { expect, test } from "bun:test";
import { hostOf } from "../../src/server/access/host.ts";
import { type Connection, ConnectionLimit } from "../../src/server/bounds/connection_limit.ts";

/** Members by name, and the names of those that were closed. */
function crowd(limit: number) {
  const connections = new ConnectionLimit(limit);
  const closed: string[] = [];
  const enter = (name: string, host: string, quietSince = 0, isWorking = false): Connection => {
    const connection = { host, quietSince, isWorking, close: () => void closed.push(name) };
    connections.enter(connection);
    return connection;
  };
  return { connections, closed, enter };
}

test.each([
  ["10.0.0.1:5000", "10.0.0.1"],
  ["127.0.0.1:1", "127/8"],
  ["127.200.3.4:1", "127/8"],
  ["[::1]:1", "127/8"],
  ["[::ffff:127.0.0.1]:1", "127/8"],
  ["[::ffff:10.1.2.3]:1", "10.1.2.3"],
  ["[2001:db8:1:2:3:4:5:6]:1", "2001:db8:1:2::/64"],
  ["[2001:DB8:1:2::9]:1", "2001:db8:1:2::/64"],
  ["[2001:db8::9]:1", "2001:db8:0:0::/64"],
  ["[fe80::1%eth0]:1", "fe80:0:0:0::/64"],
  ["[::2]:1", "0:0:0:0::/64"],
])("the host of %s is %s", (peer, host) => {
  expect(hostOf(peer)).toBe(host);
});

test("of the host with most guests the one that is quiet for longest goes, and not the one that comes", () => {
  const { connections, closed, enter } = crowd(4);
  enter("other", "b");
  enter("a1", "a", 5);
  enter("a2", "a", 3, true);
  enter("a3", "a", 4);
  expect(closed).toEqual([]);
  enter("c", "c");
  enter("d", "d");
  expect(closed).toEqual(["a3", "a1"]);
  expect(connections.size).toBe(4);
});

test("who is known stays while there are guests; where there are none the one that is quiet for longest goes", () => {
  const { connections, closed, enter } = crowd(4);
  for (const [name, user, quietSince] of [
    ["one", "Alice", 5],
    ["two", "Alice", 3],
    ["three", "Bob", 1],
    ["four", "Carol", 1],
  ] as const)
    connections.setUser(enter(name, "a", quietSince), user);
  enter("guest", "a");
  expect(closed).toEqual(["two"]);
  enter("guest 2", "a");
  expect(closed).toEqual(["two", "guest"]);
});

test("nobody has more than are left for all others: their own quietest goes, at rest if any is", () => {
  const { connections, closed, enter } = crowd(8);
  const mallory = (name: string, quietSince: number, isWorking = false): void =>
    connections.setUser(enter(name, "m", quietSince, isWorking), "Mallory");
  for (const [i, name] of ["m1", "m2", "m3", "m4"].entries()) mallory(name, i, name === "m1");
  expect(closed).toEqual([]);
  mallory("m5", 9);
  expect(closed).toEqual(["m2"]);
  expect(connections.size).toBe(4);
  for (const name of ["a1", "a2", "a3", "a4"]) enter(name, "a");
  expect(closed).toEqual(["m2"]);
});

test("who has left has no place any more, however often that is said, and gets no user", () => {
  const { connections, closed, enter } = crowd(2);
  const one = enter("one", "a");
  connections.leave(one);
  connections.leave(one);
  connections.setUser(one, "Alice");
  expect(connections.size).toBe(0);
  for (const name of ["two", "three"]) enter(name, "a");
  expect([closed, connections.size]).toEqual([[], 2]);
  enter("four", "a");
  expect([closed, connections.size]).toEqual([["two"], 2]);
});
