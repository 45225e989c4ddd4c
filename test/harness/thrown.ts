/** What code under test throws, which must be what it says it throws. */
import { expect } from "bun:test";
import { DfsError, type ErrorCode } from "../../src/errors.ts";

/** The error that this throws, which must be a DfsError of that code with one line of text. */
export function errorOf(code: ErrorCode, work: () => unknown): DfsError {
  try {
    work();
  } catch (error) {
    return checked(code, error);
  }
  throw new Error(`nothing was thrown, where DfsError("${code}") should be`);
}

/** The same of what is awaited. */
export async function rejectionOf(code: ErrorCode, work: Promise<unknown>): Promise<DfsError> {
  const error = await work.then(
    () => new Error(`nothing was thrown, where DfsError("${code}") should be`),
    (thrown: unknown) => thrown,
  );
  return checked(code, error);
}

function checked(code: ErrorCode, error: unknown): DfsError {
  if (!(error instanceof DfsError) || error.code !== code) throw error;
  expect(error.message).not.toContain("\n");
  return error;
}
