/**
 * `bun bench/fill_folder.ts DIR COUNT`: gives a server, which does not run, its part of so many files of 1 KiB, as four servers have
 * them after as many puts: the registers and the small pieces, through the store's own code, many in one transaction. Over the
 * network that would take most of an hour.
 */
import { NO_ATTRIBUTES } from "../src/file/attributes.ts";
import { tableAndRoot } from "../src/file/checksum.ts";
import { PAIRS, shapeOf } from "../src/file/layout.ts";
import { encodeManifest } from "../src/file/manifest.ts";
import { digestOfName, homesOf, ringOf } from "../src/file/placement.ts";
import { bunClock, bunRandom } from "../src/io/bun.ts";
import { bunDisk } from "../src/io/bun_disk.ts";
import { INLINE_BYTES, KIB, TRASH_GRACE_MS } from "../src/limits.ts";
import type { Config } from "../src/membership.ts";
import { Store } from "../src/store/store.ts";
import { type Ballot, ballotAbove, childOf, type Version } from "../src/version.ts";
import { inStore } from "../test/harness/named.ts";

/** The space of those who have no user. */
const SPACE = "u:";
const AT_ONCE = 5000;

const [folder = "", count] = process.argv.slice(2);
const ports = { clock: bunClock, random: bunRandom, disk: bunDisk };
const options = {
  folder,
  catalogFolder: folder,
  inlineBytes: INLINE_BYTES,
  trashGraceMs: TRASH_GRACE_MS,
};
const store = await Store.open(ports, options, (error) => {
  throw error;
});
const { config, slot } = store.membership;
if (!config) throw new Error(`${folder} is of no cluster`);

/** One file of a name, the same on all servers: its version, the ballot it was chosen at, and its pieces. */
function fileOf(name: string, { floors }: Store, of: Config) {
  const floor = floors.of(SPACE);
  const digest = digestOfName(name);
  const vid = digest.toHex();
  const shape = shapeOf(PAIRS, of.seats.length);
  const ring = ringOf(digest, shape.pieces, of);
  const pieces = ring.map((_, piece) => {
    const data = new Uint8Array(KIB / shape.pieces).fill(digest[piece] ?? 0);
    return { piece, data, root: tableAndRoot(vid, piece, data).root };
  });
  const roots = pieces.map(({ root }) => root);
  const body = encodeManifest({ attributes: NO_ATTRIBUTES, roots });
  const content = { vid, deleted: false, cid: vid, ...shape, ring, at: [], size: KIB, body };
  const version: Version = childOf({ parent: null, floor, now: 0, last: 0 }, content);
  const ballot: Ballot = ballotAbove([floor], digest);
  const here = homesOf(version, of).map((slots) => slots.includes(slot));
  return { version, ballot, small: pieces.filter(({ piece }) => here[piece]) };
}

async function putOne(name: string, of: Config): Promise<void> {
  const { version, ballot, small } = fileOf(name, store, of);
  await store.prepare(SPACE, inStore(name), ballot, {
    vid: version.vid,
    link: version.cid,
    inline: small,
  });
  await store.accept(SPACE, inStore(name), ballot, version);
  await store.commit(SPACE, inStore(name), { ballot, version }, true);
}

// Those of a folder one after the other: the tables grow where they were just read.
const names = Array.from({ length: Number(count) }, (_, i) => `folder ${i % 100}/file ${i}`).sort();
for (let begun = 0; begun < names.length; begun += AT_ONCE)
  await Promise.all(names.slice(begun, begun + AT_ONCE).map((name) => putOne(name, config)));
store.close();
