/** What every implementation of the ports must do, as one suite: `contract.test.ts` runs it on each. */
import { describe, expect, test } from "bun:test";
import { DfsError, type ErrorCode } from "../../src/errors.ts";
import type { Clock, Conn, Disk, Net, Random } from "../../src/io/ports.ts";
import { diskContract } from "./disk_contract.ts";
import { netContract } from "./net_contract.ts";

/** One implementation's ports, as seen from two machines, or twice from one. */
export interface PortsUnderTest {
  readonly clock: Clock;
  readonly random: Random;
  readonly disk: Disk;
  /** An existing folder, empty. */
  readonly folder: string;
  readonly serverNet: Net;
  readonly clientNet: Net;
  /** Where the client reaches the server. */
  readonly host: string;
  /** An address that never answers; or, on a real machine without a network, one that is refused at once. */
  readonly silent: { readonly host: string; readonly port: number };
}

export interface Harness {
  readonly name: string;
  /** Runs a test's body over fresh ports, to its end. */
  run(body: (ports: PortsUnderTest) => Promise<void>): Promise<void>;
}

/** Resolves `ms` from now, by the port's own clock. */
export const wait = (clock: Clock, ms: number): Promise<void> =>
  new Promise((resolve) => void clock.after(ms, resolve));

/** The error this throws, which must be a DfsError of that code. */
export async function errorOf(code: ErrorCode, work: Promise<unknown>): Promise<DfsError> {
  const error = await work.then(
    () => new Error(`nothing was thrown, where DfsError("${code}") should be`),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof DfsError) || error.code !== code) throw error;
  expect(error.message).not.toContain("\n");
  return error;
}

/** `n` bytes that differ by place. */
export function pattern(n: number, salt = 0): Uint8Array {
  const bytes = new Uint8Array(n);
  for (let i = 0; i < n; i++) bytes[i] = (i * 31 + (i >>> 8) * 7 + salt) & 0xff;
  return bytes;
}

/** Are these the same bytes? (The matchers of bun:test are slow on megabytes.) */
export const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/** Reads exactly n bytes. */
export async function readExactly(conn: Conn, n: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (let got = 0; got < n;) {
    const part = await conn.read();
    if (part === null) throw new Error(`the stream ended after ${got} of ${n} bytes`);
    parts.push(part);
    got += part.length;
  }
  return Buffer.concat(parts);
}

/** Declares the whole contract for one implementation. */
export function portsContract(harness: Harness): void {
  describe(`${harness.name}: clock`, () => {
    test("timers fire in the order of their times, equal ones as they were made", () =>
      harness.run(async ({ clock }) => {
        const fired: string[] = [];
        for (const ms of [60, 20, 40, 20]) clock.after(ms, () => fired.push(`${ms}`));
        clock.after(0, () => fired.push("0"));
        expect(fired).toEqual([]);
        await wait(clock, 100);
        expect(fired).toEqual(["0", "20", "20", "40", "60"]);
      }));

    test("a timer that is cancelled does not fire, and cancelling one that fired does nothing", () =>
      harness.run(async ({ clock }) => {
        let fired = 0;
        const cancels = [0, 5, 10].map((ms) => clock.after(ms, () => fired++));
        for (const cancel of cancels) cancel();
        const late = clock.after(1, () => fired++);
        await wait(clock, 30);
        expect(fired).toBe(1);
        late();
        late();
      }));

    test("time goes on, never back, by what was waited", () =>
      harness.run(async ({ clock }) => {
        const start = clock.now();
        await wait(clock, 50);
        const passed = clock.now() - start;
        expect(passed).toBeGreaterThan(48);
        expect(passed).toBeLessThan(1000);
        expect(clock.wall()).toBeGreaterThan(Date.UTC(2024, 0, 1));
        expect(Number.isInteger(clock.wall())).toBe(true);
      }));
  });

  describe(`${harness.name}: random`, () => {
    test("gives as many bytes as asked for, and never the same", () =>
      harness.run(async ({ random }) => {
        for (const n of [0, 1, 7, 16, 1000]) expect(random.bytes(n)).toHaveLength(n);
        expect(same(random.bytes(16), random.bytes(16))).toBe(false);
        const fractions = Array.from({ length: 100 }, () => random.fraction());
        expect(new Set(fractions).size).toBeGreaterThan(90);
        expect(fractions.every((f) => f >= 0 && f < 1)).toBe(true);
      }));
  });

  netContract(harness);
  diskContract(harness);
}
