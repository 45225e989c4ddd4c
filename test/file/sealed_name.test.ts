/** Sealed names: shapes, and nothing but shapes. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { keysOf } from "../../src/file/keys.ts";
import { checkName, checkStored, CONFIG_NAME, KEY_NAME } from "../../src/file/names.ts";
import { openName, sealName } from "../../src/file/sealed_name.ts";
import { SEALED_NAME_BYTES } from "../../src/limits.ts";
import { forAll } from "../harness/property.ts";

const alice = keysOf("Alice", new Uint8Array(32).fill(1));
const again = keysOf("Alice", new Uint8Array(32).fill(1));
const bob = keysOf("Bob", new Uint8Array(32).fill(1));

const isName = (text: string): boolean => {
  try {
    return checkName(text) === text;
  } catch {
    return false;
  }
};
const component = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 12 }),
  fc.constantFrom("", ".", "..", "a", "\\", "c".repeat(255)),
);
const name = fc
  .array(component, { minLength: 1, maxLength: 6 })
  .map((parts) => parts.join("/"))
  .filter(isName);

test("a name comes back, and servers take it", () =>
  forAll([name], (path) => {
    const sealed = sealName(alice, path);
    expect(checkStored(sealed)).toBe(sealed);
    expect<string | null>(openName(alice, sealed)).toBe(path);
    expect(sealName(again, path)).toBe(sealed);
    expect(sealed.split("/").length).toBe(path.split("/").length);
    expect([CONFIG_NAME, KEY_NAME]).not.toContain(sealed);
  }));

test("no two names have one sealed form, and the parts of a name cannot be rearranged", () =>
  forAll([name, name], (one, other) => {
    if (one !== other) expect(sealName(alice, one)).not.toBe(sealName(alice, other));
    const [first, ...rest] = sealName(alice, one).split("/");
    if (rest.length < 2) return;
    const turned = checkStored([...rest, first].join("/"));
    if (turned !== sealName(alice, one)) expect(openName(alice, turned)).toBeNull();
  }));

test("the longest names there are fit", () => {
  const longest = [
    `${"c".repeat(255)}/${"/".repeat(1024)}`,
    `${"c".repeat(255)}/${"/".repeat(1023)}a`,
    `${"c".repeat(255)}/${"a/".repeat(511)}aa`,
    `/${"c".repeat(1024)}`,
    `${"c".repeat(255)}/${"ab/".repeat(341)}a`,
  ];
  const lengths = longest.map((path) => {
    const sealed = sealName(alice, path);
    expect(checkStored(sealed)).toBe(sealed);
    expect<string | null>(openName(alice, sealed)).toBe(checkName(path));
    return Buffer.byteLength(sealed);
  });
  expect(Math.max(...lengths)).toBe(SEALED_NAME_BYTES);
});

describe("what servers see", () => {
  const parts = (path: string): string[] => sealName(alice, path).split("/");

  test("names in a folder begin alike", () => {
    expect(sealName(alice, "photos/b").startsWith(sealName(alice, "photos/"))).toBe(true);
    expect(sealName(alice, "photos/x/y").startsWith(sealName(alice, "photos/x/"))).toBe(true);
  });

  test("equal components in different folders look different, and so do those of others", () => {
    expect(parts("one/same")[1]).not.toBe(parts("two/same")[1]);
    expect(parts("same/same")[0]).not.toBe(parts("same/same")[1]);
    expect(sealName(bob, "same")).not.toBe(sealName(alice, "same"));
  });
});

test("what was not sealed so is no name", () => {
  const sealed = sealName(alice, "dir/name");
  const [dir = "", file = ""] = sealed.split("/");
  const empty = sealName(alice, "/").slice(0, -1);
  const others = [
    "",
    "a",
    "AAAA",
    file,
    `${file}/${dir}`,
    `${dir}/${dir}`,
    `${dir}/`.repeat(2),
    ".",
    `${sealed}=`,
    ` ${sealed}`,
    // Nothing that servers can add to a name makes it another one.
    "/",
    "//",
    `/${sealed}`,
    `${sealed}//`,
    `${dir}//`,
    `${dir}//${file}`,
    `${empty}/${sealed}`,
    // A name that ends in "/" has one form, without a component behind it.
    empty,
    sealName(alice, "dir//").slice(0, -1),
    "/".repeat(12_000),
    "A/".repeat(6000),
  ];
  for (const other of others) expect(openName(alice, checkStored(other))).toBeNull();
  expect(openName(bob, sealed)).toBeNull();
  forAll(
    [fc.nat({ max: sealed.length - 1 }), fc.constantFrom(...Array.from("AZaz09-_"))],
    (at, letter) => {
      const changed = checkStored(sealed.slice(0, at) + letter + sealed.slice(at + 1));
      expect<string | null>(openName(alice, changed)).toBe(changed === sealed ? "dir/name" : null);
    },
  );
});
