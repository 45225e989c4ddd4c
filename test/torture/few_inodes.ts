/** Disks that run out of inodes long before bytes: a put says so and changes nothing, what is small still fits, a deletion makes room at once. */
import { join } from "node:path";
import { Commands, exit } from "./commands.ts";
import { contentOf } from "./contents.ts";
import { Servers } from "./servers.ts";
import { mountDisk } from "./small_disk.ts";
import { Failure, type Scenario } from "./stage.ts";

const LARGE = 200_000;
const PUTS_MAX = 500;

export const fewInodes: Scenario = {
  name: "few_inodes",
  async play(stage) {
    const inodes = stage.rng.between(60, 160);
    const disks = [0, 1, 2, 3].map((slot) => mountDisk(stage, slot, 200, inodes));
    const servers = new Servers(stage, (slot) => ({ folder: join(disks[slot] ?? "", "dfs") }));
    const commands = new Commands(servers);
    await servers.start();
    const files = new Map<string, Uint8Array>();
    const put = async (bytes: number): Promise<string> => {
      const name = `f${files.size}`;
      const data = contentOf(files.size + 1, bytes);
      const { status, out, err } = await commands.put(name, data);
      if (status === exit.ok) files.set(name, data);
      else if (status !== exit.putFailed || !out.includes("put failed"))
        throw new Failure(`put ends with ${status}: ${out}${err}`);
      return status === exit.ok ? "" : err;
    };
    let refusal = "";
    while (refusal === "" && files.size < PUTS_MAX) refusal = await put(LARGE);
    if (!refusal.includes("inodes")) throw new Failure(`a put is refused with ${refusal}`);
    const puts = files.size;
    await commands.mustGetAll(files, "without inodes");
    const small = await put(100);
    if (small !== "") throw new Failure(`a small put is refused with ${small}`);
    for (const name of ["f0", "f1", "f2", "f3"]) {
      const { status, err } = await commands.remove(name);
      if (status !== exit.ok) throw new Failure(`rm ends with ${status}: ${err}`);
      files.delete(name);
    }
    // Not after the grace of the trash: now.
    const data = contentOf(1, LARGE);
    await commands.mustPut("again", data);
    files.set("again", data);
    await commands.mustGetAll(files, "after deletions");
    return `${inodes} inodes a disk: ${puts} puts until they were used up`;
  },
};
