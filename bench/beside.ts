/** What this machine can do without a store: plain programs that move the same bytes. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { loopback } from "./plain_copy.ts";
import { settleDisk, settleMemory } from "./settle.ts";

/** A reference, timed in turn with what it stands beside. */
export interface Beside {
  readonly name: string;
  readonly seconds: () => Promise<number>;
}

/** A shell script in a folder; what it leaves there, `made`, is removed after the clock has stopped: that is large, or made to be removed. */
function script(name: string, folder: string, text: string, made: readonly string[] = []): Beside {
  return {
    name,
    async seconds() {
      await (made.length > 0 ? settleMemory() : settleDisk());
      const begun = performance.now();
      const child = Bun.spawn(["sh", "-c", text], {
        cwd: folder,
        stdio: ["ignore", "ignore", "inherit"],
      });
      const status = await child.exited;
      const seconds = (performance.now() - begun) / 1000;
      for (const one of made) rmSync(join(folder, one), { recursive: true, force: true });
      if (status !== 0) throw new Error(`${text}: exit status ${status}`);
      return seconds;
    },
  };
}

const DD = "dd if=big bs=1M conv=fdatasync status=none";

/** Two copies of the large file, durable, one after the other. */
export const twoCopies = (folder: string): Beside =>
  script("two copies, fdatasync", folder, `${DD} of=c1 && ${DD} of=c2`, ["c1", "c2"]);

/** The same by two programs at once. */
export const twoCopiesAtOnce = (folder: string): Beside =>
  script("both at once", folder, `${DD} of=c1 & one=$!; ${DD} of=c2 && wait $one`, ["c1", "c2"]);

/** A copy of the large file, in the page cache: as a get leaves it. */
export const copy = (folder: string): Beside => script("cp", folder, "cp big copy", ["copy"]);

/** The large file over one TCP connection of this machine, `times` times, read and thrown away at the other end. */
export const overLoopback = (folder: string, bytes: number, times: number): Beside => ({
  name: times === 1 ? "loopback" : `${times} x loopback`,
  seconds: () => loopback(join(folder, "big"), bytes, times),
});

/** Into new folders, which stay: names of files that were just removed are given away again only after a while, and slowly. */
const foldersTwice = (files: string): string =>
  `a=$(mktemp -d s.XXXXXX) b=$(mktemp -d s.XXXXXX) && for c in $a $b; do cp -r ${files} $c/; done && sync -d $a/*/* $b/*/*`;

/** Two copies of a folder of small files, each file synced, by as few programs as can be. */
export const twoFolders = (folder: string, files: string): Beside =>
  script("cp -r twice, each file synced", folder, foldersTwice(files));

/** One copy of such a folder, in the page cache. */
export const oneFolder = (folder: string, files: string): Beside =>
  script("cp -r", folder, `cp -r ${files} $(mktemp -d s.XXXXXX)/`);

/** Both copies of such a folder go, for good. */
export function removal(folder: string, files: string): Beside {
  const copies = `for c in r1 r2; do cp -r ${files} $c; done && sync -d r1/* r2/*`;
  const prepare = script("", folder, copies);
  const remove = script("rm -r of both, synced", folder, "rm -r r1 r2 && sync .");
  return {
    name: remove.name,
    async seconds() {
      await prepare.seconds();
      return remove.seconds();
    },
  };
}
