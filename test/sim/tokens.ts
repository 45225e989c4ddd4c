/** The tokens of TypeScript source, as far as brackets and ends of statements need them. Used to find what follows a marker (marked.ts). */

export interface Token {
  /** "text": a string, a whole template, or a regular expression; "mark": a bracket or an operator. */
  readonly kind: "comment" | "word" | "text" | "mark";
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

const SPACE = /\s+/y;
const COMMENT = /\/\/[^\n]*|\/\*[^]*?\*\//y;
const STRING = /"(?:\\[^]|[^"\\])*"|'(?:\\[^]|[^'\\])*'/y;
const WORD = /[\p{ID_Continue}$#@]+/uy;
const REGEX = /\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/[a-z]*/y;
const MARK = /\.\.\.|[=!]==|(?:&&|\|\||\?\?|\*\*)=?|=>|\?\.|\+\+|--|[-=!<>+*/%&|^]=|[^]/y;
/** After these a slash begins a regular expression; after all other words, and what closes, it divides. */
const OPERATORS = new Set(["return", "typeof", "case", "in", "of", "await", "throw", "else"]);

/** All tokens of the code; throws where a string or a template has no end. */
export function tokensOf(code: string): Token[] {
  return scan(code, 0, null).tokens;
}

/** Reads tokens from `from` on; up to the bracket that closes what was open before, where that is `closes`. */
function scan(code: string, from: number, closes: "}" | null): { tokens: Token[]; end: number } {
  const tokens: Token[] = [];
  let at = from;
  let depth = 0;
  let last: Token | undefined;
  const match = (pattern: RegExp): number => {
    pattern.lastIndex = at;
    return pattern.test(code) ? pattern.lastIndex : at;
  };
  while (at < code.length) {
    const space = match(SPACE);
    if (space > at) {
      at = space;
      continue;
    }
    const [kind, end] = next(code, at, last, match);
    const token = { kind, text: code.slice(at, end), start: at, end };
    if (kind === "mark" && token.text === "{") depth++;
    if (kind === "mark" && token.text === "}" && depth-- === 0 && closes) return { tokens, end };
    tokens.push(token);
    if (kind !== "comment") last = token;
    at = end;
  }
  if (closes) throw new Error("a template has no end");
  return { tokens, end: at };
}

/** The kind of the token at a place, and where it ends. */
function next(
  code: string,
  at: number,
  last: Token | undefined,
  match: (pattern: RegExp) => number,
): [Token["kind"], number] {
  const char = code.charAt(at);
  const comment = match(COMMENT);
  if (comment > at) return ["comment", comment];
  if (char === "`") return ["text", endOfTemplate(code, at + 1)];
  const string = match(STRING);
  if (string > at) return ["text", string];
  if (char === '"' || char === "'") throw new Error("a string has no end");
  const regex = char === "/" && mayBeginRegex(last) ? match(REGEX) : at;
  if (regex > at) return ["text", regex];
  const word = match(WORD);
  return word > at ? ["word", word] : ["mark", match(MARK)];
}

const mayBeginRegex = (last: Token | undefined): boolean =>
  !last ||
  (last.kind === "mark" && ![")", "]", "}"].includes(last.text)) ||
  (last.kind === "word" && OPERATORS.has(last.text));

/** `from`: behind the backtick that opens it. */
function endOfTemplate(code: string, from: number): number {
  for (let at = from; at < code.length; at++) {
    const char = code.charAt(at);
    if (char === "`") return at + 1;
    if (char === "\\") at++;
    else if (code.startsWith("${", at)) at = scan(code, at + 2, "}").end - 1;
  }
  throw new Error("a template has no end");
}
