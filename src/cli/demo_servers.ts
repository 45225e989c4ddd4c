/** The demo's servers and clients: real processes of this same program. */
import { assert } from "../errors.ts";

export interface DemoServer {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
  /** SIGKILL: it gets no chance to do anything more. */
  kill(): Promise<unknown>;
  /** Starts it again on the same folder and port. */
  restart(): Promise<void>;
}

/** How this program is started: itself, or from source by the Bun that runs it. */
const OWN_COMMAND = Bun.isStandaloneExecutable ? [process.execPath] : [process.execPath, Bun.main];

/** Starts `dfs-tool serve` on a folder below `home` and any free port. */
export async function startServer(home: string, name: string): Promise<DemoServer> {
  let { child, port } = await spawnServer(home, name, 0);
  return {
    name,
    get port() {
      return port;
    },
    get pid() {
      return child.pid;
    },
    kill() {
      child.kill("SIGKILL");
      return child.exited;
    },
    async restart() {
      ({ child, port } = await spawnServer(home, name, port));
    },
  };
}

async function spawnServer(home: string, name: string, port: number) {
  const child = Bun.spawn([...OWN_COMMAND, "serve", name.toLowerCase(), String(port)], {
    cwd: home,
    stdio: ["ignore", "ignore", "pipe"],
  });
  // It says in one line that it is ready, and on which port.
  const { value } = await child.stderr.getReader().read();
  const line = new TextDecoder().decode(value);
  const [, listening] = / on \S+:(\d+) /.exec(line) ?? [];
  assert(listening, `the server ${name} starts, but said: ${line.trim()}`);
  return { child, port: Number(listening) };
}

/** What a command printed, stdout and stderr, and its exit status. */
export interface Ran {
  readonly lines: string[];
  readonly status: number;
}

/** Runs a command of this program to its end, in a folder. */
export async function runClient(args: string[], cwd: string, config: string): Promise<Ran> {
  const child = Bun.spawn([...OWN_COMMAND, ...args], {
    cwd,
    env: { ...process.env, DFS_CONFIG: config },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const texts = [new Response(child.stdout).text(), new Response(child.stderr).text()];
  const [status, ...said] = await Promise.all([child.exited, ...texts]);
  return { lines: said.join("").trimEnd().split("\n"), status };
}
