/**
 * What will happen in a simulated world: a binary heap of events by (virtual time, order of
 * making).
 */
import type { Machine, SimEvent } from "./machine.ts";

const before = (a: SimEvent, b: SimEvent): boolean =>
  a.time < b.time || (a.time === b.time && a.order < b.order);

export class EventQueue {
  #heap: SimEvent[] = [];
  #cancelled = 0;

  /** How many events still wait to fire. */
  get size(): number {
    return this.#heap.length - this.#cancelled;
  }

  push(event: SimEvent): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = heap[up] as SimEvent;
      if (!before(event, parent)) break;
      heap[at] = parent;
      at = up;
    }
    heap[at] = event;
  }

  /** Takes the next event that was not cancelled. */
  pop(): SimEvent | undefined {
    for (;;) {
      const heap = this.#heap;
      const top = heap[0];
      const last = heap.pop();
      if (!top || !last) return undefined;
      if (heap.length > 0) {
        heap[0] = last;
        this.#sink(0);
      }
      if (top.fire) return top;
      this.#cancelled--;
    }
  }

  /** When the next event is due, which is never when there is none. */
  nextTime(): number {
    for (;;) {
      const top = this.#heap[0];
      if (!top) return Number.POSITIVE_INFINITY;
      if (top.fire) return top.time;
      const last = this.#heap.pop() as SimEvent;
      this.#cancelled--;
      if (this.#heap.length === 0) continue;
      this.#heap[0] = last;
      this.#sink(0);
    }
  }

  /**
   * Only for an event that is in the queue. Most deadlines are cancelled, so the dead ones are
   * swept now and then.
   */
  cancel(event: SimEvent): void {
    event.fire = null;
    this.#cancelled++;
    if (this.#cancelled > 256 && this.#cancelled * 2 > this.#heap.length)
      this.#sweep((e) => e.fire !== null);
  }

  /** Forgets all events of a dead machine. */
  drop(owner: Machine): void {
    this.#sweep((e) => e.fire !== null && e.owner !== owner);
  }

  #sweep(keep: (event: SimEvent) => boolean): void {
    this.#heap = this.#heap.filter(keep);
    this.#cancelled = 0;
    for (let at = (this.#heap.length >> 1) - 1; at >= 0; at--) this.#sink(at);
  }

  #sink(from: number): void {
    const heap = this.#heap;
    const event = heap[from] as SimEvent;
    let at = from;
    for (;;) {
      let down = 2 * at + 1;
      if (down >= heap.length) break;
      let child = heap[down] as SimEvent;
      const right = heap[down + 1];
      if (right && before(right, child)) {
        child = right;
        down++;
      }
      if (!before(child, event)) break;
      heap[at] = child;
      at = down;
    }
    heap[at] = event;
  }
}
