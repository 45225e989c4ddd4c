/** Pieces of unknown length on their way into a store: what ends them, and what is left of those that do not end. */
import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { tableAndRoot } from "../../src/file/checksum.ts";
import { bunClock } from "../../src/io/bun.ts";
import { bunDisk } from "../../src/io/bun_disk.ts";
import type { Disk } from "../../src/io/ports.ts";
import { CHUNK_BYTES, SYNC_EVERY_BYTES } from "../../src/limits.ts";
import { Uploads } from "../../src/server/answers/uploads.ts";
import { UploadShares } from "../../src/server/bounds/upload_shares.ts";
import type { Store } from "../../src/store/store.ts";
import { vidOf } from "../harness/arbitraries.ts";
import { type Folder, heldOf, idOf, inFolder, pattern } from "../harness/folder.ts";
import { rejectionOf } from "../harness/thrown.ts";

const VID = vidOf(1);
const DATA = pattern(2 * CHUNK_BYTES + 5);
const NOTHING = new Uint8Array();

interface Stage {
  readonly folder: Folder;
  readonly store: Store;
  readonly uploads: Uploads;
  /** Sends a portion. */
  send(some: { offset: number; data: Uint8Array; size?: number; root?: Uint8Array }): Promise<void>;
  /** The files of pieces on their way. */
  temporary(): string[];
  /** Resolves once there are none any more. */
  allGone(): Promise<void>;
}

const onStage = (body: (stage: Stage) => Promise<void>, disk: Partial<Disk> = {}): Promise<void> =>
  inFolder(async (folder) => {
    const store = await folder.open({}, disk);
    const uploads = new Uploads(store, new UploadShares(bunClock, 100), () => "");
    const send: Stage["send"] = async (some) =>
      uploads.take({ ...idOf(VID, 0), size: null, root: null, ...some });
    const temporary = (): string[] => readdirSync(join(folder.path, "pieces", "tmp"));
    const allGone = async (): Promise<void> => {
      while (temporary().length > 0) await Bun.sleep(1);
    };
    await body({ folder, store, uploads, send, temporary, allGone });
    await uploads.close();
  });

async function sendAll(stage: Stage, data: Uint8Array): Promise<void> {
  for (let at = 0; at < data.length; at += CHUNK_BYTES)
    await stage.send({ offset: at, data: data.subarray(at, at + CHUNK_BYTES) });
}

const endOf = (data: Uint8Array) => ({
  offset: data.length,
  data: NOTHING,
  size: data.length,
  root: tableAndRoot(VID, 0, data).root,
});

test.each([0, 1, CHUNK_BYTES, 2 * CHUNK_BYTES + 5])(
  "a piece of %d bytes of which nobody knew how long it would be ends with its root",
  (length) =>
    onStage(async (stage) => {
      const data = DATA.subarray(0, length);
      await sendAll(stage, data);
      expect(heldOf(stage.store, VID)).toEqual([]);
      await stage.send(endOf(data));
      expect(heldOf(stage.store, VID)).toEqual([0]);
      const back = await stage.store.pieces.fetch(idOf(VID, 0), 0, Math.min(length, CHUNK_BYTES));
      expect(back).toEqual(data.subarray(0, CHUNK_BYTES));
      expect(stage.temporary()).toEqual([]);
    }),
);

test.each([
  ["is shorter than its end says", { ...endOf(DATA), size: DATA.length + 1 }],
  ["is longer than its end says", { ...endOf(DATA), size: DATA.length - 1 }],
  ["has another root", { ...endOf(DATA), root: new Uint8Array(32) }],
  ["does not say how long it is", { ...endOf(DATA), size: undefined }],
  ["says so before its end", { offset: DATA.length, data: NOTHING, size: 5 }],
])("a piece that %s is refused", (_, { size, ...end }) =>
  onStage(async (stage) => {
    await sendAll(stage, DATA);
    const last = { ...end, ...(size !== undefined && { size }) };
    await rejectionOf("protocol", stage.send(last));
    await stage.uploads.close();
    expect(heldOf(stage.store, VID)).toEqual([]);
    await stage.allGone();
  }),
);

test("a disk that fills up meanwhile refuses the rest, and nothing is left", () => {
  let free = 100 * SYNC_EVERY_BYTES;
  const space = async () => ({ bytes: { free, total: free }, files: null });
  return onStage(
    async (stage) => {
      const most = 2 * SYNC_EVERY_BYTES;
      const chunk = pattern(CHUNK_BYTES);
      const sendFrom = async (from: number): Promise<void> => {
        for (let at = from; at < from + most; at += CHUNK_BYTES)
          await stage.send({ offset: at, data: chunk });
      };
      await sendFrom(0);
      free = 0;
      await rejectionOf("noRoom", sendFrom(most));
      await stage.allGone();
    },
    { ...bunDisk, space },
  );
});

test("a piece that is given up leaves nothing, and may begin anew", () =>
  onStage(async (stage) => {
    await sendAll(stage, DATA);
    await stage.send({ offset: DATA.length, data: NOTHING });
    expect(stage.temporary()).toEqual([]);
    // Again is no matter.
    await stage.send({ offset: DATA.length, data: NOTHING });
    await rejectionOf("protocol", stage.send({ offset: DATA.length, data: DATA }));
    await sendAll(stage, DATA);
    await stage.send(endOf(DATA));
    expect(heldOf(stage.store, VID)).toEqual([0]);
  }));
