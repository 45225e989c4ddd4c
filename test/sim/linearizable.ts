/**
 * Is a recorded history of one name one that a single register, used by one client at a time, could have had?
 * The search of Wing and Gong with Lowe's memory of states: place the operations in an order that respects real time.
 */

/** What an operation did to a name; 0 stands for "there is no such file", other values for contents. */
export type Effect =
  | { readonly is: "read"; readonly value: number }
  | { readonly is: "write"; readonly value: number }
  /** It wrote, and its condition held. */
  | { readonly is: "writeIf"; readonly expected: number; readonly value: number }
  /** Its condition did not hold. */
  | { readonly is: "readNot"; readonly value: number };

export interface Operation {
  readonly invoked: number;
  /** Infinity: it never returned, and may take effect at any later time, or never. */
  readonly returned: number;
  readonly effect: Effect;
}

/** The state after the effect, null where it cannot happen in this state. */
function apply(effect: Effect, state: number): number | null {
  switch (effect.is) {
    case "read":
      return effect.value === state ? state : null;
    case "readNot":
      return effect.value === state ? null : state;
    case "write":
      return effect.value;
    case "writeIf":
      return effect.expected === state ? effect.value : null;
  }
}

/** Is there such an order, beginning with no file? */
export function isLinearizable(history: readonly Operation[]): boolean {
  const operations = history.toSorted((a, b) => a.invoked - b.invoked);
  const search = new Search(operations);
  return search.run();
}

class Search {
  readonly #operations: readonly Operation[];
  readonly #done: boolean[];
  readonly #seen = new Set<string>();
  /** Operations that must still be placed. */
  #due: number;
  /** All before this one are placed. */
  #first = 0;

  constructor(operations: readonly Operation[]) {
    this.#operations = operations;
    this.#done = operations.map(() => false);
    this.#due = operations.filter(({ returned }) => returned !== Infinity).length;
  }

  /** Depth first, on a stack of its own: histories are longer than the call stack is deep. */
  run(): boolean {
    const path: { index: number; state: number; next: number; first: number }[] = [];
    let state = 0;
    let next = this.#first;
    for (;;) {
      if (this.#due === 0) return true;
      const step = this.#nextStep(next, state);
      if (step) {
        path.push({ index: step.index, state, next: step.index + 1, first: this.#first });
        this.#place(step.index);
        state = step.state;
        next = this.#first;
        continue;
      }
      const back = path.pop();
      if (!back) return false;
      this.#first = back.first;
      this.#done[back.index] = false;
      if (this.#operations[back.index]?.returned !== Infinity) this.#due++;
      state = back.state;
      next = back.next;
    }
  }

  #place(index: number): void {
    this.#done[index] = true;
    if (this.#operations[index]?.returned !== Infinity) this.#due--;
    while (this.#done[this.#first]) this.#first++;
  }

  /** The next operation that may come now: begun before any other that is not placed has returned. */
  #nextStep(from: number, state: number): { index: number; state: number } | null {
    let earliest = Infinity;
    for (let i = this.#first; i < this.#operations.length; i++) {
      const operation = this.#operations[i] as Operation;
      if (operation.invoked > earliest) break;
      if (!this.#done[i]) earliest = Math.min(earliest, operation.returned);
    }
    for (let i = from; i < this.#operations.length; i++) {
      const operation = this.#operations[i] as Operation;
      if (operation.invoked > earliest) return null;
      if (this.#done[i]) continue;
      const after = apply(operation.effect, state);
      if (after !== null && this.#isNew(i, after)) return { index: i, state: after };
    }
    return null;
  }

  /** Was this set of placed operations, with this state, not tried yet? */
  #isNew(index: number, state: number): boolean {
    const open: number[] = [];
    let last = this.#operations.length - 1;
    while (last > this.#first && !this.#done[last] && last !== index) last--;
    for (let i = this.#first; i <= last; i++) if (!this.#done[i] && i !== index) open.push(i);
    const key = `${last}|${open.join()}|${state}`;
    if (this.#seen.has(key)) return false;
    this.#seen.add(key);
    return true;
  }
}
