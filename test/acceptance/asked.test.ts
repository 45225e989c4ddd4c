/** A password that is asked for at a terminal, in the midst of a command that draws there. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { executable } from "../harness/program.ts";
import { Computer, usersFile } from "./computer.ts";
import { Stage } from "../harness/stage.ts";

setDefaultTimeout(60_000);

/** Some redraws of a bar, and longer than a put may take before it is summed up. */
const THINKING_MS = 3500;

/** Runs a command at a terminal, and types each step's keys once its text has come after those of the step before; all that was shown. */
async function typing(
  args: readonly string[],
  cwd: string,
  steps: readonly (readonly [after: string, keys: string])[],
): Promise<string> {
  const decoder = new TextDecoder();
  let [shown, looked, step] = ["", 0, 0];
  const ended = Promise.withResolvers<void>();
  const child = Bun.spawn([executable, ...args], {
    cwd,
    env: { PATH: process.env.PATH ?? "", HOME: cwd, TERM: "dumb" },
    timeout: 30_000,
    terminal: {
      exit: () => ended.resolve(),
      data(terminal, bytes) {
        shown += decoder.decode(bytes, { stream: true });
        for (let next = steps[step]; next && shown.includes(next[0], looked); next = steps[step]) {
          looked = shown.indexOf(next[0], looked) + next[0].length;
          step++;
          terminal.write(next[1]);
        }
      },
    },
  });
  await child.exited;
  await ended.promise;
  expect({ shown, step }).toEqual({ shown, step: steps.length });
  return shown;
}

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open(1, { users: await usersFile({ Alice: "secret" }) });
});
afterAll(() => stage.close());

test("is asked for once a session of the prompt, and again where it was wrong", async () => {
  const { folder } = new Computer(stage.servers, "Username: Alice\n");
  const steps: [after: string, keys: string][] = [
    ["dfs> ", "list\r"],
    ["Password of Alice: ", "wrong\r"],
    ["Please try again.", "list\r"],
    ["Password of Alice: ", "secret\r"],
    ["dfs> ", "mkdir d\r"],
    ["dfs> ", "list\r"],
    ["d/", "exit\r"],
  ];
  const shown = await typing(["shell"], folder, steps);
  expect(shown.split("Password of Alice: ").length - 1).toBe(2);
});

test("stands alone on its line for as long as its user thinks, and the time is not the put's", async () => {
  const { folder } = new Computer(stage.servers, "Username: Alice\n");
  writeFileSync(join(folder, "file"), "content");
  const decoder = new TextDecoder();
  const question = "Password of Alice: ";
  let shown = "";
  let before: string | null = null;
  const ended = Promise.withResolvers<void>();
  const child = Bun.spawn([executable, "put", "file"], {
    cwd: folder,
    env: { PATH: process.env.PATH ?? "", HOME: folder },
    timeout: 30_000,
    terminal: {
      exit: () => ended.resolve(),
      data(terminal, bytes) {
        shown += decoder.decode(bytes, { stream: true });
        if (before !== null || !shown.includes(question)) return;
        before = shown;
        setTimeout(() => {
          before = shown;
          terminal.write("secret\r");
        }, THINKING_MS);
      },
    },
  });
  expect(await child.exited).toBe(0);
  await ended.promise;
  expect(before as string | null).toEndWith(question);
  expect(shown).not.toContain(" in 3.");
});
