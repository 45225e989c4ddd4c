/** A loopback that no other program uses, so that the kernel's counters count one experiment only. */
import { readFileSync } from "node:fs";

/** A network namespace that holds nothing but a loopback; it takes a user who may make one, on Linux. */
export class OwnNetwork {
  readonly #holder: Bun.Subprocess;
  /** What starts a program inside of it. */
  readonly launcher: readonly string[];

  private constructor(holder: Bun.Subprocess, launcher: readonly string[]) {
    this.#holder = holder;
    this.launcher = launcher;
  }

  static async open(): Promise<OwnNetwork | null> {
    if (!["unshare", "nsenter", "ip"].every((tool) => Bun.which(tool))) return null;
    const isRoot = process.getuid?.() === 0;
    const unshare = ["unshare", ...(isRoot ? [] : ["--user", "--map-root-user"]), "--net"];
    const script = "ip link set lo up && echo up && exec sleep 600";
    const holder = Bun.spawn([...unshare, "sh", "-c", script], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    const said = (await holder.stdout.getReader().read()).value;
    if (said === undefined) return null;
    const user = isRoot ? [] : ["--user", "--preserve-credentials"];
    return new OwnNetwork(holder, ["nsenter", "-t", `${holder.pid}`, ...user, "--net", "--"]);
  }

  /** Bytes of all packets over its loopback so far: what one side sent, which is what another received. */
  get bytes(): number {
    const lines = readFileSync(`/proc/${this.#holder.pid}/net/dev`, "utf8");
    return Number(/^\s*lo:\s*(\d+)/m.exec(lines)?.[1]);
  }

  async close(): Promise<void> {
    this.#holder.kill("SIGKILL");
    await this.#holder.exited;
  }
}
