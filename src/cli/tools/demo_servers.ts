/** The servers and clients of the demo: real processes of this same program. Used by demo.ts. */
import { DfsError } from "../../errors.ts";
import { OWN_COMMAND } from "../../io/own_command.ts";

export interface DemoServer {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
  /** Kills the server with SIGKILL: it can do nothing more. */
  kill(): Promise<unknown>;
  /** Starts the server again on the same folder and port. */
  restart(): Promise<void>;
}

/** Starts a server on a folder below `home`, on any free port. */
export async function startServer(
  program: readonly string[],
  home: string,
  name: string,
): Promise<DemoServer> {
  const spawn = (port: number) =>
    spawnServer([...program, "serve", name.toLowerCase(), String(port)], home);
  let { child, port } = await spawn(0);
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
      ({ child, port } = await spawn(port));
    },
  };
}

async function spawnServer(command: string[], cwd: string) {
  const child = Bun.spawn(command, { cwd, stdio: ["ignore", "ignore", "pipe"] });
  let output = "";
  for await (const part of child.stderr.pipeThrough(new TextDecoderStream())) {
    output += part;
    // The server prints one line when it is ready, with its port.
    const [, listening] = / on \S+:(\d+) \(.*\n/.exec(output) ?? [];
    if (listening !== undefined) return { child, port: Number(listening) };
  }
  throw new DfsError("failed", `${command.join(" ")} did not start: ${output.trim()}`);
}

/** What a command printed, on stdout and stderr, and its exit status. */
export interface Ran {
  readonly lines: string[];
  readonly status: number;
}

/** Runs a command of this program to its end, in the folder `cwd`. */
export async function runClient(args: string[], cwd: string, config: string): Promise<Ran> {
  const child = Bun.spawn([...OWN_COMMAND, ...args], {
    cwd,
    env: { ...process.env, DFS_CONFIG: config },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const texts = [new Response(child.stdout).text(), new Response(child.stderr).text()];
  const [status, ...output] = await Promise.all([child.exited, ...texts]);
  return { lines: output.join("").trimEnd().split("\n"), status };
}
