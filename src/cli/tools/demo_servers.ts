/** The demo's servers and clients: real processes of this same program. */
import { DfsError } from "../../errors.ts";
import { OWN_COMMAND } from "../../io/own_command.ts";

export interface DemoServer {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
  /** SIGKILL: it gets no chance to do anything more. */
  kill(): Promise<unknown>;
  /** Starts it again on the same folder and port. */
  restart(): Promise<void>;
}

/** Starts a server on a folder below `home` and any free port. */
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
  let said = "";
  for await (const part of child.stderr.pipeThrough(new TextDecoderStream())) {
    said += part;
    // It says in one line that it is ready, and on which port.
    const [, listening] = / on \S+:(\d+) \(.*\n/.exec(said) ?? [];
    if (listening !== undefined) return { child, port: Number(listening) };
  }
  throw new DfsError("failed", `${command.join(" ")} did not start: ${said.trim()}`);
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
