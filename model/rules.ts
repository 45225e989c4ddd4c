/**
 * The rules of one register that the model can break, each by its name, and what follows from that (docs/consistency.md section 9).
 * Used by the register's model, and by the table of checks.
 */
export type Rule =
  | "committed only"
  | "highest seen"
  | "one server read"
  | "no look whether applied"
  | "truncated history trusted"
  | "own attempt not dominated"
  | "attempts forgotten unproved"
  | "orphans by age"
  | "fence by promise only"
  | "collect at any promise"
  | "forgotten by W"
  | "no floor"
  | "floor not looked at"
  | "commit before forget volatile"
  | "late commit taken"
  | "lost disk keeps its id"
  | "promise volatile"
  | "accept uncovered"
  | "read, check, write"
  | "old pieces go at accept"
  | "trash counted";
