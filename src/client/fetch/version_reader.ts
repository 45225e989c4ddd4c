/**
 * Bytes of one version's pieces: fetched from a holder, or made of other pieces when no holder
 * gives them. Used by download, repair and stored_source.
 */
import type { StoredName } from "../../file/names.ts";
import { DfsError } from "../../errors.ts";
import { hasParity } from "../../file/split.ts";
import { HEDGE_MS } from "../../limits.ts";
import type { Version } from "../../version.ts";
import type { SentPiece } from "../../wire/values.ts";
import type { Cluster } from "../connect/cluster.ts";
import { Fetcher } from "./fetcher.ts";
import type { Patience } from "./hedged.ts";
import type { Put } from "./piece_reader.ts";
import type { Portion } from "./portions.ts";
import { Rebuilder } from "./rebuilder.ts";
import { type Fetch, remembering } from "./remembering.ts";
import { silentText } from "../connect/silent.ts";

/** How long to wait for a piece before another one is asked for as well. Far servers get longer. */
const patienceWith = ({ ports, connections }: Cluster): Patience => ({
  clock: ports.clock,
  ms: Math.max(HEDGE_MS, connections.patienceMs),
});

export class VersionReader {
  readonly version: Version;
  readonly #cluster: Cluster;
  readonly #name: StoredName;
  readonly #fetcher: Fetcher;
  readonly #rebuilder: Rebuilder | null;

  /**
   * It can read after `aim`. When chunks of a stripe are read one by one, the pieces that they are
   * made of are wanted again soon: the last `remembered` fetches are kept. Throws as `rootsOf`.
   */
  constructor(cluster: Cluster, name: StoredName, version: Version, remembered = 0) {
    this.version = version;
    this.#cluster = cluster;
    this.#name = name;
    const patience = patienceWith(cluster);
    this.#fetcher = new Fetcher(cluster, patience, name, version);
    const fetch: Fetch = (...what) => this.#fetcher.fetch(...what);
    this.#rebuilder = hasParity(version)
      ? new Rebuilder(patience, version, remembered > 0 ? remembering(fetch, remembered) : fetch)
      : null;
  }

  /**
   * `holders`: for each piece the slots that say they have it. `small`: pieces that came with the
   * record, unverified.
   */
  aim(holders: readonly (readonly number[])[], small: readonly SentPiece[] = []): void {
    this.#fetcher.aim(holders, small);
    this.#rebuilder?.aim(holders);
  }

  /**
   * The bytes of each piece of a portion, verified. Throws DfsError("noPiece") when they cannot be
   * had.
   */
  read(portion: Portion): Promise<Uint8Array[]> {
    if (this.#rebuilder) return this.#rebuilder.read(portion);
    const { pieces, offset, length } = portion;
    return Promise.all(pieces.map((piece) => this.#fetcher.fetch(piece, offset, length)));
  }

  /** Puts bytes of a piece where they belong as they come; as Fetcher has it. */
  bring(piece: number, offset: number, most: number, put: Put): Promise<void> {
    return this.#fetcher.bring(piece, offset, most, put);
  }

  /** Can pieces be made of others, so that they must be whole in memory? */
  get canRebuild(): boolean {
    return this.#rebuilder !== null;
  }

  /**
   * The error for a piece that cannot be had: DfsError("integrity") if a damaged copy was seen,
   * else ("incomplete").
   */
  lost(): DfsError {
    return this.#fetcher.sawRot
      ? new DfsError(
          "integrity",
          `${this.#cluster.space.shown(this.#name)}: a piece is damaged, and there is no good copy of it`,
        )
      : new DfsError(
          "incomplete",
          `the servers that answer (${this.#cluster.live.length} of ${this.#cluster.view.members.length}) lack a piece${silentText(this.#cluster)}`,
        );
  }
}
