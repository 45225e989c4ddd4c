/**
 * Rules that are marked in the source, and what each marker is about. A marker is a comment that begins with "rule: " and a name; it stands
 * directly before what keeps the rule: a statement, a property, an argument, or an operand. Used to break rules on purpose (mutate.ts).
 */
import { type Token, tokensOf } from "./tokens.ts";

/** A part of a source text. */
interface Span {
  readonly start: number;
  readonly end: number;
}

/** What follows a marker. */
export interface Marked {
  readonly is: "statement" | "property" | "expression";
  /** All of it: a statement to its semicolon or closing bracket, a property or an argument with its comma. */
  readonly whole: Span;
  /**
   * Of `if` and `while` the condition; of `return`, a declaration or an assignment what comes last; of a property its value; of an
   * expression all of it, up to `&&`, `||`, `??`, `?`, `:`, a comma or a semicolon. null: it has none.
   */
  readonly value: Span | null;
}

const MARKER = /^(?:\/\/|\/\*+)\s*rule: (?<rule>[a-z0-9-]+)/;
const ENDS_OF_OPERAND = ["&&", "||", "??", "?", ":", ",", ";"];
const OPENING = ["(", "[", "{"];
const CLOSING = [")", "]", "}"];
/** What comes before a statement: it may be an object's bracket too. */
const BEFORE_STATEMENTS = [";", "{", "}", ")", "else"];
const DECLARING = ["const", "let", "var", "export"];
/** Nobody needed these yet. */
const UNKNOWN = [
  "try",
  "switch",
  "do",
  "function",
  "class",
  "async",
  "import",
  "type",
  "interface",
];

const ruleOf = ({ kind, text }: Token): string | undefined =>
  kind === "comment" ? MARKER.exec(text)?.groups?.rule : undefined;

/** The rules that are marked in this code, in their order. */
export const rulesIn = (code: string): string[] =>
  code.includes("rule: ") ? tokensOf(code).flatMap((token) => ruleOf(token) ?? []) : [];

/** What follows the marker of a rule. Throws where the rule is not marked exactly once, or what follows is of no kind that is known. */
export function markedAs(code: string, rule: string): Marked {
  const all = tokensOf(code);
  const [marker, another] = all.filter((token) => ruleOf(token) === rule);
  if (!marker || another) throw new Error(`the rule ${rule} is not marked exactly once`);
  const tokens = all.filter(({ kind }) => kind !== "comment");
  return whatIs(new Tokens(tokens), tokens.filter(({ start }) => start < marker.start).length);
}

/** Tokens without comments, by number. */
class Tokens {
  readonly #all: readonly Token[];

  constructor(all: readonly Token[]) {
    this.#all = all;
  }

  /** Nothing where there is none. What is in quotes is no bracket and no word. */
  at(i: number): string {
    const token = this.#all[i];
    return !token ? "" : token.kind === "text" ? '""' : token.text;
  }

  /** The number of the bracket that closes the one at `i`. */
  closing(i: number): number {
    let depth = 0;
    for (let at = i; at < this.#all.length; at++) {
      if (OPENING.includes(this.at(at))) depth++;
      if (CLOSING.includes(this.at(at)) && --depth === 0) return at;
    }
    throw new Error("a bracket is not closed");
  }

  /** The first of `ends` from `i` on, not counting what is in brackets; or the bracket that closes what `i` is in. */
  until(i: number, ends: readonly string[]): number {
    let at = i;
    while (at < this.#all.length && !ends.includes(this.at(at)) && !CLOSING.includes(this.at(at)))
      at = OPENING.includes(this.at(at)) ? this.closing(at) + 1 : at + 1;
    return at;
  }

  /** The bracket that the token at `i` is in. */
  around(i: number): string {
    let depth = 0;
    for (let at = i - 1; at >= 0; at--) {
      if (CLOSING.includes(this.at(at))) depth++;
      if (OPENING.includes(this.at(at)) && depth-- === 0) return this.at(at);
    }
    return "";
  }

  /** From a token to before another one. */
  span(from: number, to: number): Span {
    const [first, last] = [this.#all[from], this.#all[to - 1]];
    if (!first || !last || to <= from) throw new Error("nothing follows the marker of a rule");
    return { start: first.start, end: last.end };
  }
}

function whatIs(tokens: Tokens, i: number): Marked {
  const before = tokens.at(i - 1);
  const isFirst = before === "{" || before === ",";
  if (isFirst && tokens.around(i) === "{" && [":", ",", "}"].includes(tokens.at(i + 1)))
    return propertyAt(tokens, i);
  if (before === "" || BEFORE_STATEMENTS.includes(before)) {
    const { end, value } = statementAt(tokens, i);
    return { is: "statement", whole: tokens.span(i, end), value };
  }
  const end = tokens.until(i, ENDS_OF_OPERAND);
  const value = tokens.span(i, end);
  const isArgument = ["(", "[", ","].includes(before) && tokens.at(end) === ",";
  return { is: "expression", whole: isArgument ? tokens.span(i, end + 1) : value, value };
}

function propertyAt(tokens: Tokens, i: number): Marked {
  const end = tokens.until(i, [","]);
  const whole = tokens.span(i, tokens.at(end) === "," ? end + 1 : end);
  return {
    is: "property",
    whole,
    value: tokens.at(i + 1) === ":" ? tokens.span(i + 2, end) : null,
  };
}

/** `end`: the first token behind it. */
function statementAt(tokens: Tokens, i: number): { end: number; value: Span | null } {
  const first = tokens.at(i);
  if (UNKNOWN.includes(first)) throw new Error(`a rule is marked before ${first}`);
  if (first === "{") return { end: tokens.closing(i) + 1, value: null };
  if (first === "if" || first === "while" || first === "for") {
    const open = tokens.at(i + 1) === "await" ? i + 2 : i + 1;
    const close = tokens.closing(open);
    const value = first === "for" ? null : tokens.span(open + 1, close);
    const { end } = statementAt(tokens, close + 1);
    const hasElse = first === "if" && tokens.at(end) === "else";
    return { end: hasElse ? statementAt(tokens, end + 1).end : end, value };
  }
  const close = tokens.until(i, [";"]);
  const end = tokens.at(close) === ";" ? close + 1 : close;
  if (first === "return" || first === "throw")
    return { end, value: close > i + 1 ? tokens.span(i + 1, close) : null };
  const sign = tokens.until(i, ["=", ";"]);
  if (tokens.at(sign) === "=") return { end, value: tokens.span(sign + 1, close) };
  return { end, value: DECLARING.includes(first) ? null : tokens.span(i, close) };
}
