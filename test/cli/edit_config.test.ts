import { expect, test } from "bun:test";
import { withServers } from "../../src/cli/config/edit_config.ts";
import { errorOf } from "../harness/thrown.ts";

const server = (name: string, host: string, port: number) => ({ name, host, port });

test.each([
  ["Server A a:1\n", [server("B", "b", 2)], "Server A a:1\nServer B b:2\n"],
  ["Server A a:1", [server("B", "::1", 2)], "Server A a:1\nServer B [::1]:2"],
  [
    "# mine\n\n * server: A  a:1   # first\nUsername: Bob\n",
    [server("B", "b", 2), server("C", "c", 3)],
    "# mine\n\n * server: A  a:1   # first\nServer B b:2\nServer C c:3\nUsername: Bob\n",
  ],
  // One that moved gets its new address, and its line stays what it was.
  [
    "\uFEFFSERVER A a:1 # x\nServer B b:2\n",
    [server("A", "new", 9)],
    "\uFEFFSERVER A new:9 # x\nServer B b:2\n",
  ],
  ["Server A a:1\n", [], "Server A a:1\n"],
])("%j gets %j", (text, servers, edited) => {
  expect(withServers(text, servers, "dfc.conf")).toBe(edited);
});

test("an address that another one has is refused", () => {
  const twice = () =>
    withServers("Server A a:1\nServer B b:2\n", [server("C", "a", 1)], "dfc.conf");
  expect(errorOf("config", twice).message).toContain("a:1 is the address of A already");
});
