/** Which configuration a client goes by, of those that servers say. */
import { expect, test } from "bun:test";
import { encode } from "../../src/bytes.ts";
import { vouchedConfig } from "../../src/client/connect/view.ts";
import { type Config, configCodec } from "../../src/membership.ts";
import { configOf, versionOf, vidOf } from "../harness/arbitraries.ts";

const old = configOf(4);
const next = configOf(4, { epoch: 2 });
const lie = configOf(4, { epoch: 1000, voters: [0] });

/** A server that goes by one configuration, and has accepted another. */
const told = (config: Config | null, accepted: Config | null = null) => ({
  config,
  register: {
    prom: 1n,
    acc: accepted && {
      ballot: 1n,
      version: versionOf({ vid: vidOf(1), body: encode(configCodec, accepted) }),
    },
    com: null,
  },
});

test("the newest that two go by", () => {
  expect(vouchedConfig([told(old), told(next), told(next)])).toEqual(next);
  expect(vouchedConfig([told(old), told(old), told(next)])).toEqual(old);
  expect(vouchedConfig([told(old), told(lie), told(old), told(next), told(next)])).toEqual(next);
});

test("one goes by, and another has accepted: who chose it had no time to tell", () => {
  expect(vouchedConfig([told(old, next), told(old, next), told(next)])).toEqual(next);
  expect(vouchedConfig([told(old, next), told(old, next), told(old)])).toEqual(old);
});

test("one alone leads nobody away, where there are more than two", () => {
  expect(vouchedConfig([told(old), told(old), told(lie, lie)])).toEqual(old);
  expect(vouchedConfig([told(old), told(next)])).toEqual(next);
  expect(vouchedConfig([told(null), told(next)])).toEqual(next);
  expect(vouchedConfig([told(null)])).toBeNull();
});
