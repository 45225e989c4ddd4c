/**
 * What the model of content by reference checks: histories and directed traces without anything wrong, and rules that are broken on purpose
 * and must be caught, by a history from the first seed on by which that is known, or by a trace. Used by the table in `model/checks.ts`.
 */
import { broken, type Check, sound } from "../check.ts";
import type { Judgement } from "../histories.ts";
import { Violation } from "../simulator.ts";
import { linkHistory, type LinkTilt } from "./histories.ts";
import { LIST_TRACES } from "./list_traces.ts";
import type { LinkRule } from "./rules.ts";
import { Script } from "./script.ts";
import { type Trace, TRACES } from "./traces.ts";

const ALL_TRACES = [...TRACES, ...LIST_TRACES];

function traced({ run }: Trace, rule: LinkRule | null): Judgement {
  const script = new Script(rule);
  try {
    run(script);
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    return { events: script.messages, wrong: error.message };
  }
  return { events: script.messages, wrong: null };
}

/** All traces with all rules. */
function tracedSoundly(): Judgement {
  let events = 0;
  for (const trace of ALL_TRACES) {
    const { events: more, wrong } = traced(trace, null);
    events += more;
    if (wrong !== null) return { events, wrong: `${trace.name}: ${wrong}` };
  }
  return { events, wrong: null };
}

const right = (name: string, tilt: LinkTilt): Check =>
  sound(name, (seed) => linkHistory(seed, null, tilt));

const link = (rule: LinkRule, from: number, tilt: LinkTilt = "even"): Check =>
  broken(rule, from, (seed) => linkHistory(seed, rule, tilt));

export const LINK_CHECKS: readonly Check[] = [
  right("links", "even"),
  right("links, lists of contents", "lists"),
  right("links, lists of contents, nothing is kept", "unkept"),
  right("links, a poor network", "poor"),
  {
    ...sound("links, directed traces", tracedSoundly),
    isOnce: true,
  },
  link("others hold on", 5),
  link("link durable", 43, "lists"),
  link("transaction before unlink", 13, "lists"),
  link("recovered files", 1),
  link("drop one holding", 17, "lists"),
  link("links counted", 58, "lists"),
  link("repair counts holdings", 65),
  link("move deletes what it copied", 17, "lists"),
  link("move is certain", 67, "lists"),
  link("W hold what is built on", 1),
  link("contents in history", 114, "poor"),
  link("each its own keep", 13),
  link("ancestors once", 24, "lists"),
  link("missed ancestors", 5),
  link("replaced", 6),
  link("records stay", 3, "lists"),
  link("shared stay", 35, "lists"),
  link("marks", 285),
  link("forget leaves kept", 7),
  link("put times rise", 13),
  link("lists ride with promises", 1, "lists"),
  link("unknown lists hold all", 12, "lists"),
  link("release by content", 1),
  link("only the parent's inherited", 5, "lists"),
  link("repair brings lists", 12, "lists"),
  ...ALL_TRACES.map((trace) => ({
    ...broken(`${trace.rule}, ${trace.name}`, 1, () => traced(trace, trace.rule)),
    isOnce: true,
  })),
];
