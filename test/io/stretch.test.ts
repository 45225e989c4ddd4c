import { expect, test } from "bun:test";
import { stretch } from "../../src/io/stretch.ts";

test("a stretched password is what it always was", async () => {
  const { login, wrap } = await stretch("Alice", "SimplePassword");
  expect([login, wrap.toHex()]).toEqual([
    "4cd9510a3ef3369d84afccebfe43063d31f32d1a8b61a3b0628b05ddd7e57785",
    "76f5e50759518b628c4589ebfbaee6641732decc136b8c1a5ede4e46c5d6f5d5",
  ]);
});

test("however its letters are composed, a password is the same; another user's is another", async () => {
  const { login } = await stretch("Alice", "Zo\u00eb");
  expect((await stretch("Alice", "Zoe\u0308")).login).toBe(login);
  expect((await stretch("Bob", "Zo\u00eb")).login).not.toBe(login);
});
