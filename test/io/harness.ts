/**
 * What the parts of the ports' contract share: the ports they are given, and a few ways to use and
 * judge them.
 */
import { expect } from "bun:test";
import { DfsError, type ErrorCode } from "../../src/errors.ts";
import type { Certificate, Clock, Conn, Disk, Net, Random } from "../../src/io/ports.ts";

/** One implementation's ports, as seen from two machines, or twice from one. */
export interface PortsUnderTest {
  readonly clock: Clock;
  readonly random: Random;
  readonly disk: Disk;
  /** An existing folder, empty. */
  readonly folder: string;
  readonly serverNet: Net;
  readonly clientNet: Net;
  /** Null: without TLS. */
  readonly certificate: Certificate | null;
  /** Where the client reaches the server. */
  readonly host: string;
  /** An address that neither opens nor refuses a connection; `end` when done with it. */
  silent(): Promise<Silent>;
}

export interface Silent {
  readonly host: string;
  readonly port: number;
  /** From now on it opens connections, without TLS; first packets that came before are lost. */
  wake(): void;
  end(): void;
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
