import { expect, test } from "bun:test";
import { ANYBODY, isStillUser } from "../../src/server/access/admission.ts";
import { table } from "./door.ts";

const [alice, bob] = ["Alice", "Bob"].map((user) => ({ user, isOperator: user === "Alice" }));
if (!alice || !bob) throw new Error("nobody is there");

test.each([
  ["an operator", alice, table, true],
  ["a user", bob, table, true],
  ["a user who was removed", bob, new Map(), false],
  ["an operator who is none any more", { ...bob, isOperator: true }, table, false],
  ["a user who is an operator now", { ...alice, isOperator: false }, table, true],
  ["anybody, where there are no users", ANYBODY, null, true],
  ["anybody, where there are users now", ANYBODY, table, false],
  ["anybody, where there were users once", ANYBODY, new Map(), false],
])("%s", (_, who, users, stays) => {
  expect(isStillUser(who, users)).toBe(stays);
});
