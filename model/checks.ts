/**
 * What the model checks, a line each: histories without anything wrong, and rules that are broken on purpose and must be caught, from the
 * first seed on by which that is known. Used by `bun run model` and by test/model.test.ts.
 */
import { boundHistory, type BoundRule } from "./bounds.ts";
import { broken, type Check, sound } from "./check.ts";
import { registerHistory, type Tilt } from "./histories.ts";
import { LINK_CHECKS } from "./links/checks.ts";
import { lifeHistory } from "./lives.ts";
import type { Fault, LifeRule } from "./life_servers.ts";
import { memberHistory, type MemberTilt } from "./members.ts";
import type { MemberRule } from "./member_servers.ts";
import type { Rule } from "./rules.ts";
import { allStates, type Proposer, type StateRule } from "./states.ts";

const register = (rule: Rule, from: number, tilt: Tilt = "even"): Check =>
  broken(rule, from, (seed) => registerHistory(seed, rule, tilt));

const bound = (rule: BoundRule, isLying = false): Check =>
  broken(rule, 1, (seed) => boundHistory(seed, rule, isLying));

const member = (rule: MemberRule, from: number, tilt: MemberTilt = "even"): Check =>
  broken(rule, from, (seed) => memberHistory(seed, rule, tilt));

/** All by operators, who tell servers of lives. */
const life = (rule: LifeRule, fault: Fault, from: number): Check =>
  broken(rule, from, (seed) => lifeHistory(seed, rule, fault, 1, fault === "fork"));

/** So many states are looked at of a case that has more. */
const STATES_MOST = 60_000;

function states(text: string, rule: StateRule | null = null): Check {
  const proposers: Proposer[] = text.split(" ").map((who, i) => ({ ballot: i + 1, who }));
  return {
    name: rule ? `without the rule: ${rule}` : `all states of ${proposers.length} ballots: ${text}`,
    isBroken: rule !== null,
    from: 1,
    history: () => allStates(proposers, rule, STATES_MOST),
    isOnce: true,
  };
}

export const CHECKS: readonly Check[] = [
  sound("register", (seed) => registerHistory(seed, null)),
  sound("register, a name that comes and goes", (seed) => registerHistory(seed, null, "deletions")),
  sound("register, many writers", (seed) => registerHistory(seed, null, "writers")),
  states("1 2"),
  states("1 x"),
  states("1 ="),
  sound("bounds", (seed) => boundHistory(seed, null)),
  sound("bounds, one server lies", (seed) => boundHistory(seed, null, true)),
  sound("members", (seed) => memberHistory(seed, null)),
  sound("members, rough", (seed) => memberHistory(seed, null, "rough")),
  sound("lives, put back: what is known is never missed", (seed) =>
    lifeHistory(seed, null, "back", 1, false),
  ),
  sound("lives, put back, half of the clients are plain users'", (seed) =>
    lifeHistory(seed, null, "back", 0.5, false),
  ),
  sound("lives, copied: only one counts", (seed) => lifeHistory(seed, null, "fork", 1, true)),
  sound("lives, copied, half of the clients are plain users'", (seed) =>
    lifeHistory(seed, null, "fork", 0.5, false),
  ),
  register("committed only", 40),
  register("highest seen", 220),
  register("one server read", 60),
  register("no look whether applied", 1),
  register("truncated history trusted", 50, "deletions"),
  register("own attempt not dominated", 8400, "writers"),
  register("attempts forgotten unproved", 140),
  register("orphans by age", 110),
  register("fence by promise only", 4830),
  register("collect at any promise", 160),
  register("forgotten by W", 2570, "deletions"),
  register("no floor", 550, "deletions"),
  register("floor not looked at", 1610, "deletions"),
  register("commit before forget volatile", 440, "deletions"),
  register("late commit taken", 2160, "deletions"),
  register("lost disk keeps its id", 200),
  register("promise volatile", 3060),
  register("accept uncovered", 1),
  register("read, check, write", 50),
  register("old pieces go at accept", 1),
  register("trash counted", 370),
  states("1 2", "promise not kept"),
  states("1 2", "one promise is enough"),
  bound("no climbing"),
  bound("one number followed", true),
  bound("no bound"),
  member("epochs", 4650),
  member("an epoch of both", 250),
  member("every value accepted anew", 250),
  member("accepted anew by force", 970),
  member("founding by W of all listed", 310),
  member("nothing founded by who knows of a founding", 250),
  member("requests are for a sid", 420),
  life("others are asked", "back", 1),
  life("all marks are kept", "back", 1),
  life("copies settle", "fork", 310),
  life("W others know a copy", "fork", 9300),
  ...LINK_CHECKS,
];
