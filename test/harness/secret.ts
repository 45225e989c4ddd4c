/** A password as tests have one that need none of its cost: what it comes to is a hash. */
import { createHash } from "node:crypto";
import { Opener, type Secret } from "../../src/client/trust/opener.ts";
import type { StretchedPassword } from "../../src/file/keys.ts";

const hashOf = (wrap: Uint8Array, salt: Uint8Array): Uint8Array =>
  new Uint8Array(createHash("sha256").update(wrap).update(salt).digest());

/** The secret that opens old records as it is, and new ones with a hash of it. */
export const secretOf = (wrap: Uint8Array): Secret => ({
  wrap: Promise.resolve(wrap),
  stretch: ({ salt }) => Promise.resolve(hashOf(wrap, salt)),
});

export const openerOf = (wrap: Uint8Array): Opener => new Opener(secretOf(wrap));

/** The same, worked out at once. */
export const openingOf = (wrap: Uint8Array): StretchedPassword => ({
  wrap,
  stretched: ({ salt }) => hashOf(wrap, salt),
});
