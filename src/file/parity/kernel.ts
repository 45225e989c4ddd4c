/**
 * The inner loop of the erasure code, as a WebAssembly module that is written here byte by byte. So
 * a build needs no other compiler. Each module fits its numbers of inputs and outputs, and its only
 * loop is the one over the bytes. Used by parity.
 *
 * The product of a factor and a byte in GF(2^8) is the sum of two products: of the factor and the
 * low half of the byte, and of the factor and the high half. Each half has 16 values, so one
 * swizzle looks up 16 bytes in a table at once (Plank, Greenan, Miller, "Screaming Fast Galois
 * Field Arithmetic Using Intel SIMD Instructions", FAST 2013).
 */
import { assert } from "../../errors.ts";
import { multiply, rowOf, type Matrix } from "./galois.ts";

/**
 * The kernel reads and writes in steps of so many bytes. The two vectors of a step share each table
 * that is loaded.
 */
const STEP_BYTES = 32;

/** The module imports its memory, as `(module.name)`, and exports one function. */
export const IMPORT_MODULE = "stripe";
export const IMPORT_MEMORY = "memory";
export const EXPORT_RUN = "run";

/**
 * The shape that a module is made for: the number of inputs, and for each output whether it is the
 * plain xor of the inputs.
 */
export interface KernelShape {
  readonly inputs: number;
  readonly plain: readonly boolean[];
}

/**
 * The exported function. It makes the first `end` bytes of all outputs, rounded up to whole steps;
 * `end` is not 0. `tables` and the addresses are in the module's memory. The addresses are those of
 * all inputs, then those of all outputs.
 */
export type Run = (end: number, tables: number, ...addresses: number[]) => void;

const VECTOR_BYTES = 16;
const TABLES_BYTES = 2 * VECTOR_BYTES;
const VECTORS = [0, VECTOR_BYTES];

/** More outputs at a time do not fit the 16 registers of x64, beside the halves of the input. */
const OUTPUTS_AT_ONCE = 4;

/** Is this row all ones? Then it needs no tables. */
export const isPlain = (row: Uint8Array): boolean => row.every((coefficient) => coefficient === 1);

/** How many bytes the tables of so many inputs and outputs have. */
export const tablesBytes = (inputs: number, outputs: number): number =>
  inputs * outputs * TABLES_BYTES;

/**
 * The tables of `rows` (outputs x inputs). For each input, and in it for each output, there are the
 * 16 products of the coefficient with 0x00 to 0x0f, then those with 0x00 to 0xf0. The tables of
 * plain rows are neither read nor filled.
 */
export function tablesOf(rows: Matrix): Uint8Array {
  const inputs = rowOf(rows, 0).length;
  const tables = new Uint8Array(tablesBytes(inputs, rows.length));
  for (const [output, row] of rows.entries()) {
    if (isPlain(row)) continue;
    for (const [input, coefficient] of row.entries()) {
      const at = tableAddress(input, output, rows.length);
      for (let half = 0; half < VECTOR_BYTES; half++) {
        tables[at + half] = multiply(coefficient, half);
        tables[at + VECTOR_BYTES + half] = multiply(coefficient, half << 4);
      }
    }
  }
  return tables;
}

const tableAddress = (input: number, output: number, outputs: number): number =>
  (input * outputs + output) * TABLES_BYTES;

/**
 * The binary of the module for a shape. (WebAssembly Core Specification 2.0, chapter 5: "Binary
 * Format".)
 */
export function moduleBytes(shape: KernelShape): Uint8Array<ArrayBuffer> {
  const parameters = 2 + shape.inputs + shape.plain.length;
  const type = [0x60, ...sized(repeat(parameters, [I32]), parameters), 0];
  const memory = [...text(IMPORT_MODULE), ...text(IMPORT_MEMORY), 0x02, 0x00, 1];
  const run = [...text(EXPORT_RUN), 0x00, 0];
  return Uint8Array.of(
    ...HEADER,
    ...section(1, type),
    ...section(2, memory),
    ...section(3, [0]),
    ...section(7, run),
    ...section(10, sized(functionBody(shape))),
  );
}

// Encoding.

/** "\0asm", version 1. */
const HEADER = [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const I32 = 0x7f;
const V128 = 0x7b;

const repeat = (times: number, bytes: number[]): number[] =>
  Array.from({ length: times }, () => bytes).flat();

/** An unsigned number as LEB128. */
const unsigned = (value: number): number[] =>
  value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];

/** Bytes with their number before them, or with `count`, the number of their items. */
const sized = (bytes: number[], count = bytes.length): number[] => [...unsigned(count), ...bytes];

const text = (name: string): number[] => sized([...new TextEncoder().encode(name)]);

/** A section with one item. */
const section = (id: number, item: number[]): number[] => [id, ...sized([1, ...item])];

// Instructions.

const get = (local: number): number[] => [0x20, ...unsigned(local)];
const set = (local: number): number[] => [0x21, ...unsigned(local)];
const load = (offset: number): number[] => [0xfd, 0x00, 4, ...unsigned(offset)];
const store = (offset: number): number[] => [0xfd, 0x0b, 4, ...unsigned(offset)];
const LOOP = [0x03, 0x40];
const BRANCH_IF = [0x0d, 0];
const END = [0x0b];
const ADD = [0x6a];
const LESS = [0x49];
const SWIZZLE = [0xfd, 0x0e];
const AND = [0xfd, 0x4e];
const XOR = [0xfd, 0x51];
/**
 * Shifting 8-bit lanes takes many instructions on x64. Shifting 16-bit lanes takes one, and the
 * mask is needed anyhow.
 */
const SHIFT_RIGHT = [0xfd, ...unsigned(0x8d)];
const LOW_HALVES = [0xfd, 0x0c, ...repeat(VECTOR_BYTES, [0x0f])];

/** A number that is one byte in signed LEB128, with the same value. */
function number(value: number): number[] {
  assert(value >= 0 && value < 0x40, "a number of one byte");
  return [0x41, value];
}

/**
 * The numbers of the locals: the parameters of `Run`, then `at`, then the vectors, one for each of
 * VECTORS.
 */
function localsOf({ inputs, plain }: KernelShape) {
  const at = 2 + inputs + plain.length;
  const [low, high, sums] = [at + 1, at + 1 + VECTORS.length, at + 1 + 2 * VECTORS.length];
  const table = sums + groupSize(plain.length) * VECTORS.length;
  return {
    end: 0,
    tables: 1,
    input: (i: number): number => 2 + i,
    output: (o: number): number => 2 + inputs + o,
    at,
    low: (vector: number): number => low + vector,
    high: (vector: number): number => high + vector,
    sum: (inGroup: number, vector: number): number => sums + inGroup * VECTORS.length + vector,
    table,
    // A local that is declared and not used costs time.
    vectors: table - at,
  };
}
type Locals = ReturnType<typeof localsOf>;

/** How many outputs a group has. The groups are as few as possible, and of about the same size. */
const groupSize = (outputs: number): number =>
  Math.ceil(outputs / Math.ceil(outputs / OUTPUTS_AT_ONCE));

/**
 * at = 0
 * do
 *   for each group of outputs
 *     for each input: sums of the group += its multiples
 *     store the sums
 *   at += STEP_BYTES
 * while at < end
 */
function functionBody(shape: KernelShape): number[] {
  const locals = localsOf(shape);
  const size = groupSize(shape.plain.length);
  const code: number[] = [];
  for (let first = 0; first < shape.plain.length; first += size) {
    const outputs = shape.plain.map((_, o) => o).slice(first, first + size);
    for (let input = 0; input < shape.inputs; input++) {
      code.push(...addInput(shape, locals, input, outputs));
    }
    for (const [inGroup, output] of outputs.entries()) {
      for (const [vector, offset] of VECTORS.entries()) {
        code.push(...get(locals.output(output)), ...get(locals.at), ...ADD);
        code.push(...get(locals.sum(inGroup, vector)), ...store(offset));
      }
    }
  }
  const next = [...get(locals.at), ...number(STEP_BYTES), ...ADD, ...set(locals.at)];
  const again = [...get(locals.at), ...get(locals.end), ...LESS, ...BRANCH_IF];
  const declared = [2, 1, I32, ...unsigned(locals.vectors), V128];
  return [...declared, ...LOOP, ...code, ...next, ...again, ...END, ...END];
}

/** One step of one input, into the sums of these outputs. */
function addInput(shape: KernelShape, locals: Locals, input: number, outputs: number[]): number[] {
  const { low, high, sum, table } = locals;
  const tabled = outputs.some((output) => shape.plain[output] === false);
  /** Adds the value on the stack to a local, or begins the local with it. */
  const addTo = (local: number, begins: boolean): number[] =>
    begins ? set(local) : [...get(local), ...XOR, ...set(local)];
  const code: number[] = [];
  for (const [vector, offset] of VECTORS.entries()) {
    const whole = get(low(vector));
    code.push(...get(locals.input(input)), ...get(locals.at), ...ADD);
    code.push(...load(offset), ...set(low(vector)));
    for (const [inGroup, output] of outputs.entries()) {
      if (shape.plain[output]) code.push(...whole, ...addTo(sum(inGroup, vector), input === 0));
    }
    if (!tabled) continue;
    code.push(...whole, ...number(4), ...SHIFT_RIGHT, ...LOW_HALVES, ...AND, ...set(high(vector)));
    code.push(...whole, ...LOW_HALVES, ...AND, ...set(low(vector)));
  }
  for (const [inGroup, output] of outputs.entries()) {
    if (shape.plain[output]) continue;
    const address = tableAddress(input, output, shape.plain.length);
    for (const [half, halves] of [low, high].entries()) {
      code.push(...get(locals.tables), ...load(address + half * VECTOR_BYTES), ...set(table));
      for (const vector of VECTORS.keys()) {
        const begins = input === 0 && half === 0;
        code.push(...get(table), ...get(halves(vector)), ...SWIZZLE);
        code.push(...addTo(sum(inGroup, vector), begins));
      }
    }
  }
  return code;
}
