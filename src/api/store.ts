/**
 * The library: a store that is open for one user, and what can be done with it (docs/api.md). Used
 * by gateways, mounts and programs of others.
 */
import type { Condition } from "../client/agree/decide.ts";
import type { Cluster } from "../client/connect/cluster.ts";
import type { Status } from "../client/care/status.ts";
import { changeAttributes, copy, move } from "../client/files/link.ts";
import { entriesIn } from "../client/files/list.ts";
import { makeFolder, put } from "../client/files/put.ts";
import { putStream } from "../client/files/put_stream.ts";
import { remove } from "../client/files/remove.ts";
import { DfsError } from "../errors.ts";
import { NO_ATTRIBUTES } from "../file/attributes.ts";
import { layoutOf } from "../file/layout.ts";
import { checkFolder, checkName, checkNewName, storedAgain } from "../file/names.ts";
import { type Body, type ByteParts, partsOf, sourceOf } from "./body.ts";
import { type Entry, entryFrom, type Info, infoOf, type Said, withSaid } from "./info.ts";
import type { Operator } from "./operate.ts";
import type {
  Conditions,
  CopyOptions,
  ListOptions,
  PutOptions,
  Signalled,
  Usual,
} from "./options.ts";
import { openReader, type Reader, type ReaderOptions } from "./reader.ts";

/** The version that was made. */
export interface Written {
  readonly name: string;
  readonly version: string;
  /** In bytes. */
  readonly size: number;
}

/**
 * An open store. All its operations may be under way at once, and it lives on when servers go and
 * come back. `openStore` makes it. `close` it in the end.
 */
export class Store {
  readonly #opened: Cluster;
  readonly #usual: Usual;
  readonly #end: () => void;
  readonly #over = new AbortController();

  constructor(cluster: Cluster, usual: Usual, end: () => void) {
    this.#opened = cluster;
    this.#usual = usual;
    this.#end = end;
  }

  #cluster({ signal }: Signalled = {}): Cluster {
    if (this.#over.signal.aborted) throw new DfsError("usage", "the store is closed");
    return signal ? this.#opened.during(signal) : this.#opened;
  }

  /**
   * Stores bytes under a name. A stream of any length is put in one pass, and little of it is in
   * memory at once.
   *
   * Throws DfsError("usage") for a name or attributes that cannot be, ("conflict") where the
   * conditions do not hold, ("putFailed") when nothing was changed, ("open") when it cannot be told
   * whether something was changed, and what a stream throws; then nothing was changed.
   */
  async put(name: string, body: Body, options: PutOptions = {}): Promise<Written> {
    const { attributes: said = {}, progress, signal, size } = options;
    const cluster = this.#cluster(options);
    const checked = checkNewName(name);
    const attributes = withSaid(NO_ATTRIBUTES, said);
    const condition = conditionOf(options);
    const usual = this.#usual;
    const how = {
      placement: usual.placement,
      layout: options.layout === undefined ? usual.layout : layoutOf(options.layout),
      ...(condition && { condition }),
      ...(progress && { progress }),
    };
    const source = sourceOf(body, attributes);
    if (source && size !== undefined && size !== source.bytes)
      throw new DfsError("usage", `${name}: the body has ${source.bytes} bytes, and not ${size}`);
    const { vid, bytes } = source
      ? await put(cluster, checked, source, how)
      : await putStream(
          cluster,
          checked,
          { bytes: partsOf(body as ByteParts, size, signal), attributes },
          how,
        );
    return { name, version: vid, size: bytes };
  }

  /**
   * Opens the current version of a name, or the one that is named where that is current. The reader
   * stays on it, also where the name is written or removed meanwhile.
   *
   * Throws DfsError("noSuchName"), ("conflict") where another version is current, ("usage") for a
   * folder, ("incomplete", "tooFew", "interrupted").
   */
  async open(name: string, options: ReaderOptions = {}): Promise<Reader> {
    return await openReader(this.#cluster(), checkName(name), options, this.#over.signal);
  }

  /** What is known of a name. Throws DfsError("noSuchName", "incomplete", "tooFew"). */
  async info(name: string, options: Signalled = {}): Promise<Info> {
    return await infoOf(this.#cluster(options), checkName(name));
  }

  /**
   * The names of the store, or the names and folders of one level, sorted by their bytes. With
   * `facts`, names come with what `info` tells. Throws DfsError("tooFew"), and ("usage") for a
   * delimiter that cannot be had.
   */
  async *list({ signal, ...wanted }: ListOptions = {}): AsyncGenerator<Entry, void> {
    for await (const entry of entriesIn(this.#cluster({ signal }), wanted)) yield entryFrom(entry);
  }

  /**
   * Removes a name. Throws DfsError("noSuchName"), ("conflict"), ("tooFew") when nothing was
   * changed, and ("open") when it cannot be told whether something was changed.
   */
  async remove(name: string, options: Omit<Conditions, "ifNoneMatch"> = {}): Promise<void> {
    await remove(this.#cluster(options), checkName(name), conditionOf(options));
  }

  /**
   * Makes what is current of one name the next version of another. No bytes are moved. Throws as
   * `info`, and as `put`.
   */
  async copy(from: string, to: string, options: CopyOptions = {}): Promise<Written> {
    return await this.#link(copy, from, to, options);
  }

  /**
   * The same, and then removes the name that was copied, unless it was written meanwhile. Throws as
   * `copy`, and with a message that says so where the new name is there, and the old one too.
   */
  async move(from: string, to: string, options: CopyOptions = {}): Promise<Written> {
    return await this.#link(move, from, to, options);
  }

  async #link(work: typeof copy, from: string, to: string, options: CopyOptions): Promise<Written> {
    const condition = conditionOf({ ifNoneMatch: options.ifNoneMatch });
    const { vid, bytes } = await work(this.#cluster(options), checkName(from), checkNewName(to), {
      ...(condition && { condition }),
      ...(options.ifMatch !== undefined && { of: options.ifMatch }),
    });
    return { name: to, version: vid, size: bytes };
  }

  /**
   * Makes a version with the same content and other attributes. What is not said stays. Throws as
   * `info`, and as `put`.
   */
  async setAttributes(
    name: string,
    changes: Said,
    options: Omit<Conditions, "ifNoneMatch"> = {},
  ): Promise<Written> {
    const { vid, bytes } = await changeAttributes(
      this.#cluster(options),
      storedAgain(checkName(name)),
      (attributes) => withSaid(attributes, changes),
      conditionOf(options),
    );
    return { name, version: vid, size: bytes };
  }

  /** Makes a folder that is there without files in it. Its name ends in "/". Throws as `put`. */
  async makeFolder(name: string, options: Signalled & { attributes?: Said } = {}): Promise<void> {
    const folder = checkNewName(checkFolder(name));
    await makeFolder(
      this.#cluster(options),
      folder,
      withSaid(NO_ATTRIBUTES, options.attributes ?? {}),
    );
  }

  /** Is everything that is stored safe? Looks at all servers and all names. Throws DfsError("tooFew"). */
  async status(options: Signalled = {}): Promise<Status> {
    return await (await this.operator()).status(options);
  }

  /** What operators do: servers, repair, verify. It is loaded when it is asked for. */
  async operator(): Promise<Operator> {
    const cluster = this.#cluster();
    const { Operator: Made } = await import("./operate.ts");
    return new Made(cluster, this.#usual);
  }

  /** Ends it, all that is under way in it, and its readers. */
  close(): void {
    if (this.#over.signal.aborted) return;
    this.#over.abort();
    this.#end();
  }
}

/** Throws DfsError("usage") where both are said. */
function conditionOf({ ifMatch, ifNoneMatch }: Conditions): Condition | undefined {
  if (ifMatch !== undefined && ifNoneMatch !== undefined)
    throw new DfsError("usage", "ifMatch and ifNoneMatch exclude each other; leave out one");
  if (ifNoneMatch !== undefined) return { vid: null };
  return ifMatch === undefined ? undefined : { vid: ifMatch };
}
