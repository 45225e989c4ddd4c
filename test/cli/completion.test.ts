import { afterAll, expect, test } from "bun:test";
import { removeFolders, run } from "../harness/program.ts";

afterAll(removeFolders);

/** Whether a shell takes the text as a script; null where that shell is not installed. */
function parses(shell: string, script: string): boolean | null {
  if (!Bun.which(shell)) return null;
  const ran = Bun.spawnSync([shell, "-n"], { stdin: Buffer.from(script) });
  return ran.success && ran.stderr.length === 0;
}

test.each([["bash"], ["zsh"], ["fish"]])("the completion for %s parses", async (shell) => {
  const { status, out, err } = await run(["completion", shell]);
  expect([status, err]).toEqual([0, ""]);
  expect(parses(shell, out)).not.toBe(false);
  for (const word of ["serve", "list", "no-progress", "insecure"]) expect(out).toContain(word);
});

test("bash completes commands, flags and stored names with it", async () => {
  const { out } = await run(["completion", "bash"]);
  const completed = (...words: string[]): string[] => {
    const ask = `COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length - 1}`;
    const servers = `{"servers":[{"name":"DFS1","id":"1"},{"name":"DFS2"}]}`;
    const stub = `dfs-tool() { [ "$1" = server ] && echo '${servers}' || printf '%s\\n' 'a b' 'c* [incomplete]'; }`;
    const script = `${out}\n${stub}; ${ask}; _dfs_tool; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return Bun.spawnSync(["bash", "-c", script]).stdout.toString().trim().split("\n");
  };
  expect(completed("dfs-tool", "s")).toEqual(["serve", "stat", "status", "server", "shell"]);
  expect(completed("dfs-tool", "put", "--to")).toEqual(["--to"]);
  for (const verb of ["get", "list", "ls", "stat", "rm"])
    expect(completed("dfs-tool", verb, "")).toEqual(["a b", "c*"]);
  expect(completed("dfs-tool", "ls", "--j")).toEqual(["--json"]);
  expect(completed("dfs-tool", "server", "re")).toEqual(["replace", "remove"]);
  expect(completed("dfs-tool", "server", "drain", "")).toEqual(["DFS1", "DFS2"]);
  expect(completed("dfs-tool", "user", "")).toEqual(["add", "remove", "list", "passwd"]);
});
