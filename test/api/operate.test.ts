/** What operators do through the library, over simulated servers. */
import { expect, test } from "bun:test";
import { Operator } from "../../src/api/operate.ts";
import { PAIRS } from "../../src/file/layout.ts";
import { rejectionOf } from "../harness/thrown.ts";
import { Stage } from "../sim/levels_stage.ts";

const operate = <T>(stage: Stage, work: (operator: Operator) => Promise<T>): T =>
  stage.run((cluster) => work(new Operator(cluster, { layout: PAIRS, placement: "name" })));

test("the servers are told, and named by what was told", () => {
  operate(new Stage(), async (operator) => {
    const members = operator.members();
    expect(members.map(({ state }) => state)).toEqual(["up", "up", "up", "up"]);
    const [{ name, id } = { name: "", id: null }] = members;
    for (const known of [name, id ?? ""]) {
      await operator.weigh(known, 7);
      expect((await operator.need(known)).isTold).toBe(true);
    }
    expect(operator.members()[0]).toMatchObject({ name, weight: 7 });
    await operator.drain(name);
    expect(operator.members()[0]?.state).toBe("up, holds no new pieces");
    await rejectionOf("usage", operator.drain("nobody"));
  });
});

test("a status is told again once it is another one", () => {
  const stage = new Stage();
  stage.put("a");
  operate(stage, async (operator) => {
    const words: string[] = [];
    for await (const { word } of operator.statuses()) {
      if (words.at(-1) !== word) words.push(word);
      if (words.length === 1) stage.stop(2);
      if (words.length === 2) break;
    }
    expect(words).toEqual(["HEALTHY", "AT RISK"]);
  });
});

test("what is to be done is told with dryRun, and done without", () => {
  const stage = new Stage();
  stage.put("a", "b");
  stage.remove("a");
  operate(stage, async (operator) => {
    const forgotten = [expect.objectContaining({ name: "a", forgotten: true })];
    expect(await Array.fromAsync(operator.repair({ dryRun: true }))).toEqual(forgotten);
    expect(await Array.fromAsync(operator.repair({ prefix: "b" }))).toEqual([]);
    const looked: string[] = [];
    const all = operator.repair({ looked: ({ name }) => looked.push(name) });
    expect(await Array.fromAsync(all)).toEqual(forgotten);
    expect(looked).toContain("b");
    expect(await Array.fromAsync(operator.repair())).toEqual([]);
    const [verified] = await Array.fromAsync(operator.verify());
    expect(verified).toMatchObject({ name: "b", bad: [], isReadable: true });
    expect(await Array.fromAsync(operator.rebalance())).toEqual([]);
  });
});
