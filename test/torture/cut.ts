/** Servers are cut off and come back while clients read and write: what they missed, or hear late, must not show. */
import { now } from "./clock.ts";
import type { ServerOptions } from "./server_process.ts";
import { Servers } from "./servers.ts";
import type { Scenario, Stage } from "./stage.ts";
import { storm } from "./storm.ts";

export const cut: Scenario = {
  name: "cut",
  async play(stage) {
    const wires = stage.rng.chance(0.9) ? Wires.lay(stage, 4) : null;
    const servers = new Servers(stage, (slot) => wires?.optionsOf(slot) ?? {});
    let cuts = 0;
    const harm = async (until: number): Promise<void> => {
      cuts = await cutInTurn(stage, servers, wires, until);
    };
    const figures = await storm(stage, servers, {
      seconds: stage.size(45, 8),
      writers: stage.size(6, 3),
      readers: stage.size(6, 3),
      deleters: 1,
      repairers: 1,
      names: ["a", "b"],
      harm,
      heal: async () => {
        for (const slot of servers.slots) join(servers, wires, slot);
      },
    });
    return `${cuts} times ${wires ? "cut off by the network" : "frozen"}, ${figures}`;
  },
};

/** One server after the other, sometimes two at once, for as long as it takes clients to give up, or shorter. */
async function cutInTurn(
  stage: Stage,
  servers: Servers,
  wires: Wires | null,
  until: number,
): Promise<number> {
  const { rng } = stage;
  let cuts = 0;
  while (now() < until - 3000) {
    const slots = rng.chance(0.25)
      ? rng.pick([
          [0, 1],
          [1, 2],
          [0, 2],
          [1, 3],
        ])
      : [rng.int(4)];
    stage.note(`${now().toFixed(3)} cut: ${slots.map((slot) => `DFS${slot + 1}`).join(" and ")}`);
    for (const slot of slots) part(servers, wires, slot);
    cuts += slots.length;
    await Bun.sleep(rng.pick([30, 200, 1500, 3000]) * (0.5 + rng.fraction()));
    for (const slot of slots) join(servers, wires, slot);
    stage.note(`${now().toFixed(3)} back`);
    await Bun.sleep(rng.int(1200));
  }
  return cuts;
}

function part(servers: Servers, wires: Wires | null, slot: number): void {
  if (wires) wires.set(slot, "down");
  else servers.at(slot).freeze();
}

function join(servers: Servers, wires: Wires | null, slot: number): void {
  if (wires) wires.set(slot, "up");
  else servers.at(slot).thaw();
}

/** A network of its own for each server, which hangs on one wire. */
class Wires {
  readonly #names: readonly string[];
  readonly #net: number;

  private constructor(names: readonly string[], net: number) {
    this.#names = names;
    this.#net = net;
  }

  /** null where this machine does not let us. */
  static lay(stage: Stage, count: number): Wires | null {
    const mark = `dft${stage.rng.u32().toString(36).slice(0, 5)}`;
    const names = Array.from({ length: count }, (_, slot) => `${mark}${slot}`);
    const net = stage.rng.between(64, 250);
    stage.undo(() => names.forEach((name) => void ip("netns", "del", name)));
    stage.undo(() => names.forEach((name) => void ip("link", "del", `${name}a`)));
    for (const [slot, name] of names.entries()) {
      const laid =
        ip("netns", "add", name) &&
        ip("link", "add", `${name}a`, "type", "veth", "peer", "name", `${name}b`) &&
        ip("link", "set", `${name}b`, "netns", name) &&
        ip("addr", "add", `10.${net}.${slot}.1/24`, "dev", `${name}a`) &&
        ip("link", "set", `${name}a`, "up") &&
        ip("-n", name, "addr", "add", `10.${net}.${slot}.2/24`, "dev", `${name}b`) &&
        ip("-n", name, "link", "set", "lo", "up") &&
        ip("-n", name, "link", "set", `${name}b`, "up");
      if (!laid) return null;
    }
    return new Wires(names, net);
  }

  optionsOf(slot: number): ServerOptions {
    return {
      launcher: ["ip", "netns", "exec", this.#names[slot] ?? ""],
      host: `10.${this.#net}.${slot}.2`,
      flags: ["--trash-grace", "0", "--insecure"],
    };
  }

  /** Down: what either side sends is lost, and nobody is told. */
  set(slot: number, state: "up" | "down"): void {
    const name = this.#names[slot] ?? "";
    ip("-n", name, "link", "set", `${name}b`, state);
  }
}

const ip = (...args: string[]): boolean => {
  try {
    return Bun.spawnSync(["ip", ...args]).success;
  } catch {
    return false;
  }
};
