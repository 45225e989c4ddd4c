/** Reconnecting: silent servers are tried again until enough answer or the time is over, and never those that refuse. */
import { describe, expect, test } from "bun:test";
import { Connections } from "../../src/client/connect/connections.ts";
import { FIRST_REPLY_MS, REACH_MS } from "../../src/limits.ts";
import { SilentServers, WORK_MS } from "./silent_servers.ts";

/** Five servers: three are enough to begin with. */
class Stage extends SilentServers {
  constructor() {
    super(5);
  }

  readonly connections = new Connections(this.ports, this.addresses, {
    user: "",
    login: null,
    warn: () => {},
  });

  /** Greets all; says of how many it heard why not. */
  greetAll(): number {
    const { failures } = this.run(this.connections.greetAll()).value;
    this.tried.length = 0;
    return failures.length;
  }

  /** Waits until so many have come late; how long that took. */
  reach(arrivals: number): number {
    return this.run(this.connections.reachSilent(() => this.connections.arrivals >= arrivals)).ms;
  }

  get names(): string[] {
    return this.connections.greeted.map(({ peer }) => peer.address.name);
  }
}

describe("silent servers", () => {
  test("are not waited for where it is enough without them", () => {
    const stage = new Stage();
    stage.silence(4);
    stage.greetAll();
    expect(stage.reach(0)).toBe(0);
    expect(stage.tried).toEqual([]);
  });

  test("are nobody where all answer or refuse", () => {
    const stage = new Stage();
    stage.stop(4);
    expect(stage.greetAll()).toBe(1);
    stage.start(4);
    expect(stage.reach(1)).toBe(0);
    expect(stage.tried).toEqual([]);
    expect(stage.names).toEqual(["dfs1", "dfs2", "dfs3", "dfs4"]);
  });

  test("are tried until enough have answered, and those that come later still count", () => {
    const stage = new Stage();
    stage.silence(3, FIRST_REPLY_MS);
    stage.silence(4, 2 * FIRST_REPLY_MS + 500);
    expect(stage.greetAll()).toBe(2);
    expect(stage.names).toEqual(["dfs1", "dfs2", "dfs3"]);
    expect(stage.reach(1)).toBeLessThan(WORK_MS);
    expect(stage.names).toEqual(["dfs1", "dfs2", "dfs3", "dfs4"]);
    expect(stage.reach(2)).toBeLessThan(REACH_MS - WORK_MS);
    expect(stage.names).toEqual(["dfs1", "dfs2", "dfs3", "dfs4", "dfs5"]);
    expect(stage.connections.arrivals).toBe(2);
  });

  test("are down once the time is over, and cost nothing from then on", () => {
    const stage = new Stage();
    stage.silence(4);
    stage.greetAll();
    expect(stage.reach(1)).toBe(REACH_MS);
    stage.tried.length = 0;
    expect(stage.reach(1)).toBe(0);
    expect(stage.tried).toEqual([]);
  });

  test("are tried once for all who wait for them", () => {
    const stage = new Stage();
    stage.silence(3, 2 * FIRST_REPLY_MS);
    stage.silence(4);
    stage.greetAll();
    const one = stage.connections.reachSilent(() => stage.connections.arrivals >= 1);
    const all = stage.connections.reachSilent(() => stage.connections.arrivals >= 2);
    const first = stage.run(one).ms;
    expect(first).toBeLessThan(REACH_MS);
    expect(first + stage.run(all).ms).toBe(REACH_MS);
    expect(stage.tried.filter((name) => name === "dfs5")).toHaveLength(REACH_MS / FIRST_REPLY_MS);
  });

  test("are met before they can be asked", () => {
    const stage = new Stage();
    stage.silence(4, FIRST_REPLY_MS);
    stage.greetAll();
    const before: unknown[] = [];
    stage.connections.onLateServer = async ({ greeting }) => {
      before.push(stage.connections.ofSid(greeting.sid), stage.connections.arrivals);
      await stage.world.sleep(FIRST_REPLY_MS);
    };
    expect(stage.reach(1)).toBeGreaterThanOrEqual(FIRST_REPLY_MS);
    expect(before).toEqual([null, 0]);
    const sid = stage.connections.greeted.at(-1)?.greeting.sid ?? "";
    expect(stage.connections.ofSid(sid)?.address.name).toBe("dfs5");
  });
});

test("where those that answer are too few to tell who the servers are, the silent ones are waited for", () => {
  const stage = new Stage();
  for (const slot of [1, 2, 3, 4]) stage.silence(slot, FIRST_REPLY_MS + 500);
  const { value, ms } = stage.run(stage.connections.greetAll());
  expect(value.greeted.map(({ peer }) => peer.address.name)).toContain("dfs1");
  expect(value.greeted.length).toBeGreaterThanOrEqual(3);
  expect(ms).toBeLessThan(FIRST_REPLY_MS + REACH_MS);
});
