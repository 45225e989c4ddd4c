/**
 * Directed traces of rules that random histories seldom come to: right with the rule, wrong without it. Those about lists of contents are in
 * list_traces.ts. Used by checks.ts.
 */
import { FOREVER } from "./records.ts";
import type { LinkRule } from "./rules.ts";
import { AT_HOME, expect, type Script, THIRD_AWAY } from "./script.ts";

export interface Trace {
  readonly rule: LinkRule;
  /** What happens. */
  readonly name: string;
  readonly run: (script: Script) => void;
}

const TWO = [0, 1];

/** Version 2 is listed as an orphan, then chosen, then replaced; the third server missed it all. */
function missedVersion(script: Script): void {
  script.upload(1, AT_HOME);
  script.write(1);
  script.upload(2, AT_HOME);
  script.sayAll({ is: "read", name: "a" });
  script.write(2, {}, { prepare: [0, 1, 2], accept: TWO });
  script.upload(3, THIRD_AWAY);
  const current = script.write(3, {}, { accept: TWO });
  const ballot = script.fence(current);
  const told = script.sayAll({ is: "read", name: "a" }, [0, 2]);
  const isKept = told.some(({ entries }) =>
    entries.some(({ vid, state }) => vid === 2 && state === "kept"),
  );
  const isKnown =
    isKept && script.keeps("listed after the fence") && script.keeps("kept is no orphan");
  if (!isKnown) script.collect(2, 2, ballot);
}

/** Version 1 is pending on the third server, which misses version 2 of the same content. */
function sharedOrphan(script: Script): ReturnType<Script["write"]> {
  script.upload(1, AT_HOME);
  script.write(1, {}, { prepare: [0, 1, 2], accept: TWO });
  return script.write(2, { cids: [1], keep: 0 }, { accept: TWO });
}

/** Version 2 is replaced by 3 of the same content, which the third server does not know yet. */
function missedChild(script: Script): {
  old: ReturnType<Script["write"]>;
  current: number;
  put: number;
} {
  script.upload(1, AT_HOME);
  script.write(1);
  script.upload(2, AT_HOME);
  const old = script.write(2, { keep: 0 }, { prepare: [0, 1, 2], accept: TWO });
  const { ballot, version } = script.write(3, { cids: [2], keep: 30 }, { accept: TWO });
  return { old, current: ballot, put: version.put };
}

export const TRACES: readonly Trace[] = [
  {
    rule: "counted expunges",
    name: "a KEEP that was under way during an expunge",
    run: (script) => {
      script.upload(1, AT_HOME);
      script.write(1, {}, { accept: TWO });
      script.upload(2, AT_HOME);
      const { ballot: current } = script.write(2);
      const old = script.versions([0, 1]).list.find(({ record }) => record.version.vid === 1)!;
      script.world.truth.asked.add(1);
      script.sayAll({ is: "expunge", name: "a", vid: 1, current });
      script.sayAll({ is: "clear", name: "a", vid: 1 });
      script.say(2, { is: "keep", name: "a", ...old, cids: undefined, expunges: 0, current });
      const { list } = script.versions([0, 2]);
      const isShown = list.some(({ record }) => record.version.vid === 1);
      expect(!isShown, "an expunged version is shown");
    },
  },
  {
    rule: "listed after the fence",
    name: "listed as an orphan, then current, then replaced, then the fence",
    run: missedVersion,
  },
  {
    rule: "kept is no orphan",
    name: "kept by others, pending at one that missed it",
    run: missedVersion,
  },
  {
    rule: "spare",
    name: "the pieces of an orphan are those of the current version",
    run: (script) => {
      const ballot = script.fence(sharedOrphan(script), TWO);
      script.collect(2, 1, ballot, script.keeps("spare") ? [1] : []);
    },
  },
  {
    rule: "spare",
    name: "the pieces of an orphan are those of a kept version",
    run: (script) => {
      sharedOrphan(script);
      script.upload(3, THIRD_AWAY);
      const ballot = script.fence(script.write(3, {}, { accept: TWO }));
      script.collect(2, 1, ballot, script.keeps("spare") ? [1] : []);
    },
  },
  {
    rule: "longest keep",
    name: "more versions missed than the history tells",
    run: (script) => {
      script.upload(1, AT_HOME);
      script.write(1);
      script.upload(2, THIRD_AWAY);
      let last = script.write(2, {}, { accept: TWO });
      for (const vid of [3, 4, 5]) {
        script.upload(vid, THIRD_AWAY);
        last = script.write(vid, { keep: 0 }, { accept: TWO });
      }
      script.commit(last, [2]);
    },
  },
  {
    rule: "upload durable",
    name: "an upload is acknowledged, another copy dropped, then a crash",
    run: (script) => {
      script.upload(1, [[0, 1, 2], [0, 1], [2]]);
      script.write(1);
      script.upload(1, [[], [], [1]]);
      script.drop(0, 1, 1);
      script.crash(2);
    },
  },
  {
    rule: "not behind",
    name: "KEEP to a server that is behind",
    run: (script) => {
      const { old, current, put } = missedChild(script);
      const told = { left: 5, replaced: put, isCertain: true, expunges: 0, current };
      script.say(2, { is: "keep", name: "a", record: old, cids: undefined, ...told });
      script.pass(50);
    },
  },
  {
    rule: "not behind",
    name: "EXPUNGE at a server that is behind",
    run: (script) => {
      const { current } = missedChild(script);
      script.world.truth.asked.add(2);
      script.sayAll({ is: "expunge", name: "a", vid: 2, current });
    },
  },
  {
    rule: "pending outlasts accept",
    name: "accepted, pushed out, and still being put",
    run: (script) => {
      const put = { vid: 5, cids: [5], x: 0, keep: 0 };
      script.upload(5, THIRD_AWAY);
      const first = script.nextBallot();
      script.prepare(first, put, TWO);
      script.say(2, { is: "accept", ballot: first, version: script.child(5, {}) });
      const ballot = script.nextBallot();
      const version = script.child(6, { cids: [], deleted: true });
      script.prepare(ballot, { ...put, vid: 6, cids: [] }, TWO);
      script.sayAll({ is: "accept", ballot, version }, TWO);
      script.commit({ ballot, version }, [0]);
      script.collect(0, 5, ballot);
      script.upload(5, [[], [], [0, 1, 2]]);
      const second = script.nextBallot();
      script.prepare(second, put, [1, 2]);
      script.commit({ ballot, version }, [0, 1, 2], true);
      script.sayAll({ is: "accept", ballot: second, version: script.child(5, {}) }, [1, 2]);
    },
  },
  {
    rule: "restore holds",
    name: "what is restored runs out meanwhile",
    run: (script) => {
      script.upload(1, AT_HOME);
      script.write(1);
      script.upload(2, AT_HOME);
      script.write(2, { keep: 30 });
      const ballot = script.nextBallot();
      const promises = script.prepare(ballot, { vid: 9, cids: [1], x: 0, keep: 0, isLinked: true });
      const version = script.child(9, { cids: [1] }, promises);
      script.pass(60);
      script.sayAll({ is: "accept", ballot, version });
    },
  },
  {
    rule: "put times rise across lives",
    name: "a new life by a clock that is behind",
    run: (script) => {
      script.upload(1, AT_HOME);
      script.write(1, { clock: 100 });
      script.delete(2, 110);
      const was = script.at(105);
      script.upload(3, AT_HOME);
      script.write(3, { clock: 90 });
      expect(script.at(105) === was, "what was there at a time changes afterwards");
    },
  },
  {
    rule: "order by birth",
    name: "a new life after a longer one",
    run: (script) => {
      script.upload(1, AT_HOME);
      script.write(1);
      script.delete(2);
      script.upload(3, AT_HOME);
      script.write(3);
      expect(script.at(1e9) === 3, "the current version is not the last one");
    },
  },
  {
    rule: "ancestors once",
    name: "a tombstone is forgotten by two, and committed anew",
    run: (script) => {
      script.upload(1, AT_HOME);
      script.write(1);
      const { ballot: current } = script.write(2, { cids: [1], keep: FOREVER });
      script.world.truth.asked.add(1);
      script.sayAll({ is: "expunge", name: "a", vid: 1, current });
      script.sayAll({ is: "clear", name: "a", vid: 1 });
      const tombstone = script.write(3, { cids: [], deleted: true, keep: FOREVER });
      const { ballot, version } = tombstone;
      script.sayAll({ is: "forget", name: "a", ballot }, TWO);
      script.commit({ ballot: script.fence(tombstone), version });
      const answers = script.sayAll({ is: "read", name: "a" });
      const isBack = answers.some(({ entries }) => entries.some(({ vid }) => vid === 1));
      expect(!isBack, "an expunged version is kept again");
    },
  },
];
