/** All that a few servers may say of one name, by slot. */
import type { Decision } from "../../src/client/agree/decide.ts";

/** What a server says, in small numbers: the ballots of acc and com, 0 for nothing; null is silence. */
export type Said = { acc: number; com: number } | null;

/** Every state of one server with ballots up to `top`: com <= acc. */
export function statesUpTo(top: number): { acc: number; com: number }[] {
  const states = [];
  for (let acc = 0; acc <= top; acc++)
    for (let com = 0; com <= acc; com++) states.push({ acc, com });
  return states;
}

/** Every choice of one of `options` for each of `n` places. */
export function* choices<T>(options: readonly T[], n: number): Generator<T[]> {
  if (n === 0) return yield [];
  for (const rest of choices(options, n - 1)) for (const option of options) yield [...rest, option];
}

const valueAt = (ballot: number) => (ballot === 0 ? null : { ballot: BigInt(ballot) });
const voteOf = ({ acc, com }: { acc: number; com: number }) => ({
  acc: valueAt(acc),
  com: valueAt(com),
});
export const heard = (all: readonly Said[]) => all.flatMap((said) => (said ? [said] : []));
/** The votes by slot; who is silent has none. */
export const votesOf = (all: readonly Said[]) =>
  new Map(all.flatMap((said, slot) => (said ? [[slot, voteOf(said)] as const] : [])));

/** A decision as people say it. */
export function inWords(decision: Decision<{ ballot: bigint }>): string {
  if (decision.is === "tooFew") return "too few servers";
  if (decision.is === "doubt") return "in doubt";
  return `the answer is ${decision.current?.ballot ?? 0}`;
}
