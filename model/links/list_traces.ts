/**
 * Directed traces of the rules about lists of contents: right with the rule, wrong without it. Used by checks.ts.
 */
import { AT_HOME, THIRD_AWAY } from "./script.ts";
import type { Trace } from "./traces.ts";

const TWO = [0, 1];
const BOTH = [1, 2];

export const LIST_TRACES: readonly Trace[] = [
  {
    rule: "unknown lists hold all",
    name: "a server hears only of the COMMIT of an append",
    run: (script) => {
      script.upload(1, AT_HOME);
      script.write(1);
      script.upload(2, THIRD_AWAY);
      const append = { cids: [1, 2], keep: 0, isLinked: true };
      script.write(2, append, { accept: TWO, commit: [0, 1, 2] });
    },
  },
  {
    rule: "drop knows the lists",
    name: "away by a kept version's ring, at home by that of a list that is not known",
    run: (script) => {
      script.upload(1, [[0, 1, 2], [0], [1, 2]]);
      script.write(1);
      script.upload(2, [[], [0, 1, 2], [0, 1, 2]]);
      const append = { cids: [1, 2], x: 1, keep: 30, isLinked: true };
      script.write(2, append, { accept: BOTH, commit: [0, 1, 2] });
      script.upload(1, [[], [1], []]);
      script.pass(50, [1]);
      script.drop(1, 1, 1);
      script.drop(0, 1, 1);
    },
  },
  {
    rule: "W hold the list",
    name: "one of those that have the parent as committed does not know its list",
    run: (script) => {
      script.upload(1, [[], [0, 1, 2], [0, 1, 2]]);
      script.upload(2, [[], [0, 1, 2], [0, 1, 2]], 2);
      const join = { cids: [1, 2], isLinked: true };
      const joined = script.write(3, join, { prepare: TWO, accept: BOTH, commit: BOTH });
      if (script.keeps("W hold the list")) {
        const { ballot, version } = joined;
        script.sayAll({ is: "commit", ballot, version, sync: true, cids: [1, 2] });
      } else script.commit(joined, BOTH, true);
      script.upload(4, [[], [0, 1, 2], [0, 1, 2]]);
      const ballot = script.nextBallot();
      const promises = script.prepare(ballot, { vid: 4, cids: [4], x: 0, keep: 0 }, BOTH);
      const version = script.childOf(joined.version, 4, promises);
      script.sayAll({ is: "accept", ballot, version }, BOTH);
      script.commit({ ballot, version });
    },
  },
  {
    rule: "missed lists",
    name: "an append is missed, and replaced",
    run: (script) => {
      script.upload(1, AT_HOME);
      script.write(1);
      script.upload(2, THIRD_AWAY);
      script.write(2, { cids: [1, 2], keep: 0, isLinked: true }, { accept: TWO });
      script.upload(3, THIRD_AWAY);
      script.write(3, {}, { accept: TWO, commit: [0, 1, 2] });
    },
  },
  {
    rule: "spare by content",
    name: "the content of an orphan is one of the current version's",
    run: (script) => {
      script.upload(1, AT_HOME);
      script.write(1, {}, { prepare: [0, 1, 2], accept: TWO });
      script.upload(2, THIRD_AWAY);
      const append = { cids: [1, 2], keep: 0, isLinked: true };
      const ballot = script.fence(script.write(2, append, { accept: TWO }), TWO);
      const spare = script.keeps("spare by content") ? [script.listOf([1, 2])] : [];
      script.collect(2, 1, ballot, spare);
    },
  },
  {
    rule: "upload adds",
    name: "an upload comes twice, the second time after the link",
    run: (script) => {
      script.upload(1, AT_HOME);
      script.write(1);
      script.upload(2, AT_HOME);
      const append = { vid: 2, cids: [1, 2], x: 0, keep: 0, isLinked: true };
      const ballot = script.nextBallot();
      const version = script.child(2, append, script.prepare(ballot, append, TWO));
      script.upload(2, [[0], [], []]);
      script.sayAll({ is: "accept", ballot, version }, BOTH);
    },
  },
];
