/**
 * The reply to FETCH as it comes: its bytes are passed on before all of them are here. Used by
 * frames.ts and by the client.
 */
import { malformed } from "../cursor.ts";
import type { ReplyOf } from "./messages.ts";

/** Takes bytes as they come. They are lent: they may change after the call. */
export type Taker = (part: Uint8Array) => void;

/** What is left of a reply whose data was taken as it came. */
export const NO_DATA: ReplyOf<"fetch"> = { data: new Uint8Array() };

const LENGTH_BYTES = 4;

/**
 * What takes a reply's body of `bodyBytes` bytes, which is one field of bytes, and gives these to
 * `take`. It throws DfsError("protocol") where the length before them is not theirs.
 */
export function dataTaker(bodyBytes: number, take: Taker): Taker {
  let claimed = 0;
  let left = LENGTH_BYTES;
  return (part) => {
    let at = 0;
    for (; left > 0 && at < part.length; at++, left--)
      claimed = claimed * 2 ** 8 + (part[at] as number);
    if (left > 0) return;
    if (LENGTH_BYTES + claimed !== bodyBytes)
      throw malformed(`a reply of ${bodyBytes} bytes claims to have ${claimed} bytes of data`);
    if (at < part.length) take(part.subarray(at));
  };
}
