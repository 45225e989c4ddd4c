/**
 * All lives of this server, and the life that it knows of each other server, as facts of the
 * catalog. Used by store.ts and identity.ts.
 *
 * Knowledge of another server moves on only from the very life that is known: a client that brings
 * news has seen that life among the lives of the server in question.
 */
import { decode, encode } from "../bytes.ts";
import {
  type KnownLife,
  knownLivesCodec,
  type Life,
  lifeCodec,
  MARK_BYTES,
  type NewLife,
} from "../life.ts";
import type { Config } from "../membership.ts";
import type { Catalog } from "./catalog/catalog.ts";

const pastKey = (life: number): string => `life ${life}`;

/** Begins the next life, in the current transaction. `random` holds as many bytes as a mark has. */
export function beginLife(catalog: Catalog, random: Uint8Array): void {
  const before = catalog.fact("life");
  const life = (before ? decode(lifeCodec, before).life : 0) + 1;
  const mark = random.subarray(0, MARK_BYTES);
  catalog.setFact("life", encode(lifeCodec, { life, mark: mark.toHex() }));
  catalog.setFact(pastKey(life), mark);
}

export class Lives {
  readonly #catalog: Catalog;
  /** The present life. */
  readonly now: Life;
  #known: KnownLife[] = [];
  #isUnsettled = false;
  /** Rises with each change of what is known. */
  revision = 0;

  constructor(catalog: Catalog) {
    this.#catalog = catalog;
    const now = catalog.fact("life");
    if (!now) throw new Error("bug: a server lives before it serves");
    this.now = decode(lifeCodec, now);
    this.#recall();
  }

  #recall(): void {
    const known = this.#catalog.fact("known");
    this.#known = known ? decode(knownLivesCodec, known) : [];
    this.#isUnsettled = this.#catalog.fact("copy") !== null;
  }

  /** The life of each other server that this server was told of. */
  get known(): readonly KnownLife[] {
    return this.#known;
  }

  /**
   * Does the server run on a copy of its folder? A copy does not count before enough others know
   * this life.
   */
  get isUnsettled(): boolean {
    return this.#isUnsettled;
  }

  /** Was this a life of this server? */
  isOwn({ life, mark }: Life): boolean {
    // rule: only-own-lives
    return this.#catalog.fact(pastKey(life))?.toHex() === mark;
  }

  /** Keeps, durably, the news of servers that have a seat, unless it knows better. */
  async record(news: readonly NewLife[], config: Config | null): Promise<void> {
    const seated = new Set(config?.seats.map(({ sid }) => sid));
    const isNews = ({ sid, from, mark }: NewLife): boolean => {
      const known = this.#known.find((other) => other.sid === sid)?.mark ?? null;
      return seated.has(sid) && known === from && known !== mark;
    };
    if (!news.some(isNews)) return;
    await this.#catalog.write(true, () => {
      this.#recall();
      const fresh = news.filter(isNews).map(({ sid, life, mark }) => ({ sid, life, mark }));
      if (fresh.length === 0) return;
      const isFresh = (sid: string): boolean => fresh.some((other) => other.sid === sid);
      const kept = this.#known.filter(({ sid }) => seated.has(sid) && !isFresh(sid));
      this.#catalog.setFact("known", encode(knownLivesCodec, [...kept, ...fresh]));
    });
    this.#recall();
    this.revision++;
  }

  /**
   * Called when enough others know this life. From then on no other copy of the folder can count,
   * so this one does.
   */
  async settle(): Promise<void> {
    if (!this.#isUnsettled) return;
    await this.#catalog.write(true, () => this.#catalog.dropFact("copy"));
    this.#recall();
  }
}
