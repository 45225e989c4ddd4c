/** The paths of all files in one server's folder (README.md). Used by the store. */
import type { Cid } from "../../version.ts";

/** The paths of one server's folder. */
export interface FolderPaths {
  readonly folder: string;
  readonly pieces: string;
  readonly temporary: string;
  readonly format: string;
  readonly catalog: string;
  readonly catalogFolder: string;
  /** Folders below `pieces` that are known to be durable. */
  readonly folders: Set<string>;
  folderOf(cid: Cid): string;
  pathOf(cid: Cid, piece: number): string;
}

/** The paths of a folder whose catalog is in `catalogFolder`. */
export function pathsOf({
  folder,
  catalogFolder,
}: {
  folder: string;
  catalogFolder: string;
}): FolderPaths {
  const pieces = `${folder}/pieces`;
  const folderOf = (cid: Cid): string => `${pieces}/${cid.slice(0, 2)}`;
  return {
    folder,
    pieces,
    temporary: `${pieces}/tmp`,
    format: `${catalogFolder}/format.json`,
    catalog: `${catalogFolder}/catalog.sqlite`,
    catalogFolder,
    folders: new Set(),
    folderOf,
    pathOf: (cid, piece) => `${folderOf(cid)}/${cid}.${piece}`,
  };
}
