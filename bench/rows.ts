/** What is measured: commands of a client, each with what plain programs do with the same bytes. */
import { join } from "node:path";
import type { Stage } from "../test/acceptance/stage.ts";

export interface Inputs {
  /** The stages' clients' files: `big`, the folders `small` and `tiny`. */
  readonly files: string;
  readonly small: readonly string[];
  readonly tiny: readonly string[];
}

export interface Row {
  readonly name: string;
  readonly on: "plain" | "sealed" | "many";
  /** What must be so before each run. */
  readonly before?: (stage: Stage) => Promise<unknown>;
  readonly args: readonly string[];
  /** Beside it, a shell script in the folder of the files, and what it is called; none: there is nothing like it. */
  readonly plain?: readonly [name: string, script: string];
  readonly after?: (stage: Stage) => Promise<unknown>;
}

const COPIES = "for c in s1 s2; do cp -r small $c; done && sync -d s1/* s2/*; rm -r s1 s2";
const TINY_COPIES = "for c in t1 t2; do cp -r tiny $c; done && sync -d t1/* t2/*; rm -r t1 t2";
const TWICE =
  "dd if=big of=c1 bs=1M conv=fdatasync status=none && dd if=big of=c2 bs=1M conv=fdatasync status=none; rm c1 c2";
const CP = "cp big back2; rm back2";
const DEAD = 3;

/** All rows, in the order in which they build on each other. */
export function rowsOf({ files, small, tiny }: Inputs): Row[] {
  const big = join(files, "big");
  const back = join(files, "back");
  const paths = (names: readonly string[], folder: string): string[] =>
    names.map((name) => join(files, folder, name));
  const get = ["get", "--json", "big", "-o", back];
  const kill = (stage: Stage) => stage.server(DEAD).kill();
  const start = (stage: Stage) => stage.server(DEAD).start();
  return [
    {
      name: "put 1 GiB",
      on: "plain",
      args: ["put", "--json", big],
      plain: ["two copies, fdatasync", TWICE],
    },
    {
      name: "overwrite 1 GiB",
      on: "plain",
      args: ["put", "--json", big],
      plain: ["two copies, fdatasync", TWICE],
    },
    { name: "get 1 GiB", on: "plain", args: get, plain: ["cp", CP] },
    {
      name: "get 1 GiB, one dead",
      on: "plain",
      before: kill,
      args: get,
      after: start,
      plain: ["cp", CP],
    },
    {
      name: "get 1 GiB, one frozen",
      on: "plain",
      before: async (stage) => stage.server(DEAD).freeze(),
      args: get,
      after: async (stage) => stage.server(DEAD).thaw(),
      plain: ["cp", CP],
    },
    {
      name: "put 1 GiB as rs:2+2",
      on: "plain",
      args: ["put", "--json", "--layout", "rs:2+2", "--name", "rs", big],
      plain: ["two copies, fdatasync", TWICE],
    },
    {
      name: "get rs:2+2, two dead",
      on: "plain",
      before: async (stage) => Promise.all([stage.server(2).kill(), stage.server(DEAD).kill()]),
      args: ["get", "--json", "rs", "-o", back],
      after: async (stage) => Promise.all([stage.server(2).start(), stage.server(DEAD).start()]),
      plain: ["cp", CP],
    },
    {
      name: "put 1,000 x 4 KiB",
      on: "plain",
      args: ["put", "--json", ...paths(small, "small")],
      plain: ["cp -r twice, synced", COPIES],
    },
    {
      name: "get 1,000 x 4 KiB",
      on: "plain",
      args: ["get", "--json", ...small],
      plain: ["cp -r", "cp -r small s3; rm -r s3"],
    },
    {
      name: "put 10,000 x 1 KiB",
      on: "plain",
      args: ["put", "--json", ...paths(tiny, "tiny")],
      plain: ["cp -r twice, synced", TINY_COPIES],
    },
    {
      name: "delete 1,000",
      on: "plain",
      args: ["rm", "--json", ...small],
      plain: ["cp -r, rm -r", "cp -r small s4; rm -r s4"],
    },
    {
      name: "put 1 small file",
      on: "plain",
      args: ["put", "--json", join(files, "small", small[0] ?? "")],
    },
    { name: "get 1 small file", on: "plain", args: ["get", "--json", small[0] ?? "", "-o", back] },
    {
      name: "put 1 GiB, sealed",
      on: "sealed",
      args: ["put", "--json", big],
      plain: ["two copies, fdatasync", TWICE],
    },
    { name: "get 1 GiB, sealed", on: "sealed", args: get, plain: ["cp", CP] },
    { name: "list 100,000 names", on: "many", args: ["list"] },
    { name: "stat one of them", on: "many", args: ["stat", "folder 7/file 7"] },
  ];
}
