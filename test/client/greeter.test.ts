/** Who is tried, and how often: servers that answer, that refuse, and that are silent. */
import { describe, expect, test } from "bun:test";
import { type ConnectAttempt, Greeter } from "../../src/client/connect/greeter.ts";
import { FIRST_REPLY_MS, REACH_MS } from "../../src/limits.ts";
import type { ServerAddress } from "../../src/membership.ts";
import { SilentServers, WORK_MS } from "./silent_servers.ts";

/** A greeter of these servers, and what it tells of them. */
class Stage extends SilentServers {
  readonly greeter = new Greeter(this.ports, { login: null });
  readonly told: string[] = [];

  readonly take = ({ name }: ServerAddress, attempt: ConnectAttempt): void => {
    const silence = attempt.greeted ? "answers" : attempt.isSilent ? "is silent" : "refuses";
    this.told.push(`${name} ${silence}`);
  };

  trySeveral(isEnough = (): boolean => false): number {
    return this.run(this.greeter.trySeveral(this.addresses, isEnough, this.take)).ms;
  }

  pursue(): number {
    this.told.length = 0;
    this.tried.length = 0;
    return this.run(this.greeter.retrySilent(this.take)).ms;
  }
}

describe("one try", () => {
  test("tells who answers, who refuses and who is silent", () => {
    const stage = new Stage(3);
    const [first, second, third] = stage.addresses as [ServerAddress, ServerAddress, ServerAddress];
    stage.stop(1);
    stage.silence(2);
    const { value: answer } = stage.run(stage.greeter.tryOnce(first));
    expect(answer.greeted?.greeting.sid).toHaveLength(32);
    expect(stage.greeter.hasTried(first)).toBe(false);
    const { value: refusal, ms } = stage.run(stage.greeter.tryOnce(second));
    expect(refusal).toMatchObject({ greeted: null, isSilent: false, error: { code: "down" } });
    expect(ms).toBeLessThan(WORK_MS);
    expect(stage.greeter.isSomebodySilent).toBe(false);
    const silence = stage.run(stage.greeter.tryOnce(third));
    expect(silence.value).toMatchObject({ greeted: null, isSilent: true, error: { code: "down" } });
    expect(silence.ms).toBe(FIRST_REPLY_MS);
    expect(stage.greeter.isSomebodySilent).toBe(true);
    expect([second, third].map((server) => stage.greeter.hasTried(server))).toEqual([true, true]);
  });

  test("of one that was silent, or refused, and answers now leaves nothing of that", () => {
    const stage = new Stage(2);
    stage.silence(0, FIRST_REPLY_MS);
    stage.stop(1);
    stage.trySeveral();
    stage.start(1);
    for (const server of stage.addresses) {
      stage.run(stage.greeter.tryOnce(server));
      expect(stage.greeter.hasTried(server)).toBe(false);
    }
    expect(stage.greeter.isSomebodySilent).toBe(false);
  });
});

describe("several tries at once", () => {
  test("end when all have answered or refused", () => {
    const stage = new Stage(3);
    stage.stop(1);
    expect(stage.trySeveral()).toBeLessThan(WORK_MS);
    expect(stage.told.toSorted()).toEqual(["dfs1 answers", "dfs2 refuses", "dfs3 answers"]);
  });

  test("wait for silent ones as long as servers have to answer", () => {
    const stage = new Stage(3);
    stage.silence(1);
    expect(stage.trySeveral(() => true)).toBe(FIRST_REPLY_MS);
    expect(stage.told.at(-1)).toBe("dfs2 is silent");
  });

  test("of none are over at once", () => {
    const stage = new Stage(1);
    const trying = stage.greeter.trySeveral([], () => false, stage.take);
    expect(stage.run(trying).ms).toBe(0);
  });

  test("throw what they are told to", () => {
    const stage = new Stage(2);
    const trying = stage.greeter.trySeveral(
      stage.addresses,
      () => false,
      () => {
        throw new Error("not this one");
      },
    );
    expect(() => stage.run(trying)).toThrow("not this one");
  });
});

describe("a pursuit", () => {
  test("finds those that answer after a while, each as soon as it does", () => {
    const stage = new Stage(3);
    stage.silence(1, FIRST_REPLY_MS + 500);
    stage.silence(2, FIRST_REPLY_MS + 1500);
    stage.trySeveral();
    const ms = stage.pursue();
    expect(stage.told).toEqual(["dfs2 answers", "dfs3 answers"]);
    // A packet that is lost is sent again a second later, and so is the question.
    expect(ms).toBeLessThanOrEqual(2 * FIRST_REPLY_MS + WORK_MS);
    expect(stage.greeter.isSomebodySilent).toBe(false);
  });

  test("ends after some seconds, and whoever is silent then is down", () => {
    const stage = new Stage(2);
    stage.silence(1);
    stage.trySeveral();
    expect(stage.pursue()).toBe(REACH_MS);
    expect(stage.told).toEqual(["dfs2 is silent"]);
    expect(stage.greeter.isSomebodySilent).toBe(false);
    expect(stage.greeter.hasTried(stage.addresses[1]!)).toBe(true);
    expect(stage.pursue()).toBe(0);
    expect(stage.tried).toEqual([]);
  });

  test("tries a silent one again each second, and none that answered or refused", () => {
    const stage = new Stage(3);
    stage.stop(0);
    stage.silence(2);
    stage.trySeveral();
    stage.start(0);
    stage.pursue();
    expect(stage.tried).toEqual(["dfs3", "dfs3", "dfs3"]);
  });

  test("ends for one that refuses in the end", () => {
    const stage = new Stage(2);
    stage.silence(1, FIRST_REPLY_MS);
    stage.trySeveral();
    stage.stop(1);
    expect(stage.pursue()).toBeLessThan(WORK_MS);
    expect(stage.told).toEqual(["dfs2 refuses"]);
  });

  test("leaves no connection but the one that it tells of", () => {
    const stage = new Stage(2);
    stage.freeze(1);
    stage.trySeveral();
    const pursuing = stage.greeter.retrySilent(stage.take);
    stage.world.pass(2 * FIRST_REPLY_MS + 500);
    stage.goOn(1);
    stage.run(pursuing);
    stage.world.pass(REACH_MS);
    expect(stage.told.at(-1)).toBe("dfs2 answers");
    expect(stage.openConnections).toBe(2);
  });
});
