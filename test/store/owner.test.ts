/** Whose piece a piece is: who learns the id of another user's version can do nothing to it. */
import { describe, expect, test } from "bun:test";
import { BLOCK_BYTES } from "../../src/limits.ts";
import { rejectionOf } from "../harness/thrown.ts";
import { idOf, inFolder, pattern, same, smallPiece, SPACE, upload } from "../harness/folder.ts";
import { inStore } from "../harness/named.ts";

const VID = "ab".repeat(16);

describe("the id of another user's version", () => {
  const data = pattern(BLOCK_BYTES + 1);
  const theirs = { ...idOf(VID, 3), space: "u:mallory" };

  test("does not let anybody put a piece in the place of theirs", () =>
    inFolder(async (folder) => {
      const store = await folder.open();
      await upload(store, idOf(VID, 3), data);
      const incoming = await store.pieces.receive(theirs, data.length);
      const { root } = smallPiece(VID, 3, data);
      await incoming.append(0, data);
      await rejectionOf("forbidden", store.pieces.received(incoming, theirs, data.length, root));
      await incoming.abort();
      expect(same(await store.pieces.fetch(idOf(VID, 3), 0, data.length), data)).toBe(true);
    }));

  test("nor a small one", () =>
    inFolder(async (folder) => {
      const store = await folder.open();
      const small = pattern(100);
      await store.prepare(SPACE, inStore("a"), 5n, {
        vid: VID,
        link: VID,
        inline: [smallPiece(VID, 3, small)],
      });
      const other = [smallPiece(VID, 3, pattern(100, 1))];
      await rejectionOf(
        "forbidden",
        store.prepare(theirs.space, inStore("a"), 5n, { vid: VID, link: VID, inline: other }),
      );
      expect(same(await store.pieces.fetch(idOf(VID, 3), 0, 100), small)).toBe(true);
    }));
});
