/** Sealed names: shapes, and nothing but shapes. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { keysOf } from "../../src/file/keys.ts";
import { checkName, checkStored } from "../../src/file/names.ts";
import { openName, sealName } from "../../src/file/sealed_name.ts";
import { SEALED_NAME_BYTES } from "../../src/limits.ts";
import { forAll } from "../harness/property.ts";

const alice = keysOf("Alice", new Uint8Array(32).fill(1));
const again = keysOf("Alice", new Uint8Array(32).fill(1));
const bob = keysOf("Bob", new Uint8Array(32).fill(1));

const isName = (text: string): boolean => {
  try {
    return !text.includes("/") && checkName(text) === text;
  } catch {
    return false;
  }
};
const component = fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 }).filter(isName);
const name = fc.array(component, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));

test("a name comes back, and servers take it", () =>
  forAll([name, fc.boolean()], (path, isFolder) => {
    const full = isFolder ? `${path}/` : path;
    const sealed = sealName(alice, full);
    expect(checkStored(sealed)).toBe(sealed);
    expect(openName(alice, sealed)).toBe(full);
    expect(sealName(again, full)).toBe(sealed);
  }));

test("the longest names there are fit", () => {
  for (const longest of ["a/".repeat(511) + "aa", "c".repeat(255), `${"ab/".repeat(340)}abcd`]) {
    const sealed = sealName(alice, longest);
    expect(Buffer.byteLength(sealed)).toBeLessThanOrEqual(SEALED_NAME_BYTES);
    expect(checkStored(sealed)).toBe(sealed);
    expect(openName(alice, sealed)).toBe(longest);
  }
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
  const others = [
    "",
    "a",
    "AAAA",
    file,
    `${file}/${dir}`,
    `${dir}/${dir}`,
    `${dir}/`.repeat(2),
    ".",
  ];
  for (const other of [...others, `${sealed}=`, ` ${sealed}`, `${sealed}\n`])
    expect(openName(alice, other)).toBeNull();
  expect(openName(bob, sealed)).toBeNull();
  // What is no path at all, as a server may say it.
  for (const odd of ["/", "//", `/${sealed}`, `${sealed}//`, "/".repeat(12_000), "A/".repeat(6000)])
    expect(openName(alice, odd)).toBeNull();
  for (const odd of ["/", "//", "/a", "a//b"]) expect(sealName(alice, odd)).toBe("");
  forAll(
    [fc.nat({ max: sealed.length - 1 }), fc.constantFrom(...Array.from("AZaz09-_"))],
    (at, letter) => {
      const changed = sealed.slice(0, at) + letter + sealed.slice(at + 1);
      expect(openName(alice, changed)).toBe(changed === sealed ? "dir/name" : null);
    },
  );
});
