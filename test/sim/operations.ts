/** What simulated clients do, and the record of it. */
import { inMemory } from "../../src/client/send/source.ts";
import { Space } from "../../src/client/trust/space.ts";
import { DfsError } from "../../src/errors.ts";
import type { Cluster } from "../../src/client/connect/cluster.ts";
import type { ClientPorts } from "../../src/client/connect/peer.ts";
import { get } from "../../src/client/files/get.ts";
import { list } from "../../src/client/files/list.ts";
import type { ClusterMemory } from "../../src/client/trust/memory.ts";
import { openCluster } from "../../src/client/members/open.ts";
import type { ServerAddress } from "../../src/membership.ts";
import { put } from "../../src/client/files/put.ts";
import { putStream } from "../../src/client/files/put_stream.ts";
import { rebalance } from "../../src/client/care/rebalance.ts";
import { openStored } from "../../src/client/files/stored_source.ts";
import { remove } from "../../src/client/files/remove.ts";
import { repairAll } from "../../src/client/care/repair.ts";
import type { Attributes } from "../../src/file/attributes.ts";
import { layoutOf } from "../../src/file/layout.ts";
import type { Vid } from "../../src/version.ts";
import { areEqual, attributesFor, contentOf, memorySink, streamOf } from "./contents.ts";
import { jump } from "./hostile.ts";
import type { LastingClient } from "./lasting.ts";
import { Violation } from "./invariants.ts";
import { checkLevels } from "./levels.ts";
import { changeMembers } from "./member_orders.ts";
import { Contents, linkedOn, runLink, type Witness } from "./links.ts";
import { operationOf } from "./effects.ts";
import type { Operation } from "./linearizable.ts";
import type { Order } from "./orders.ts";
import type { Sealing } from "./sealing.ts";
import { named } from "../harness/named.ts";

export interface Recorded {
  readonly id: number;
  readonly order: Order;
  readonly invoked: number;
  returned: number;
  /** "pending" while it runs, and for ever when its client died. */
  outcome: string;
  /** What a get read. */
  value: number | null;
  /** What one that links asked servers to accept. */
  witness?: Witness;
}

/** The number of a content, which must be one of these, whole, and with its own attributes. */
function valueOf(
  data: Uint8Array,
  attributes: Attributes,
  known: ReadonlyMap<number, number>,
): number {
  const isIt = (value: number): boolean =>
    Buffer.compare(contentOf(value, data.length), data) === 0;
  const same = [...known].filter(([value, bytes]) => bytes === data.length && isIt(value));
  const [one] = same.find(([value]) => areEqual(attributesFor(value), attributes)) ?? [];
  if (one !== undefined) return one;
  const what = same.length > 0 ? "attributes that are another's" : "bytes that nobody put";
  throw new Violation(`a get returned ${data.length} bytes, and ${what}: a mixture, or damaged`);
}

/** What a computer remembers at this moment, in these facts. What others of its clients note meanwhile is for those after them. */
function memoryOf(facts: Map<string, Uint8Array>): ClusterMemory {
  const known = new Map(facts);
  const noteFact = (key: string, value: Uint8Array): void => {
    for (const one of [known, facts]) one.set(key, value);
  };
  return { location: "dfc.conf.seen", factOf: (key) => known.get(key) ?? null, noteFact };
}

/** How long a slow reader waits at most. */
const SLOW_MS = 3000;

const passing = ({ ports }: Cluster, ms: number): Promise<void> =>
  new Promise((resolve) => void ports.clock.after(ms, resolve));

async function repairAllOf(cluster: Cluster): Promise<void> {
  for await (const _ of repairAll(cluster, "", { dryRun: false, orphanAge: 0 })) void _;
}

/** What clients say of servers that lie, and here none does. */
const WRONGED = /than this computer has seen|it is not believed|not authentic|contradicts itself/;

/** Does it go without the user's names and contents? */
const isUpkeep = (order: Order): boolean =>
  !("name" in order) && order.do !== "list" && order.do !== "levels";

/** All that clients did in one history, and what they learned. */
export class Recorder {
  readonly operations: Recorded[] = [];
  readonly #contents = new Contents();
  readonly #vids = new Map<number, Vid>();
  readonly #now: () => number;
  readonly #warn: (line: string) => void;
  readonly #sealing: Sealing | null;
  readonly #facts: Map<string, Uint8Array> | null;

  /** `facts`: what all clients remember, being on one computer; null: nothing. */
  constructor(
    now: () => number,
    warn: (line: string) => void,
    sealing: Sealing | null,
    facts: Map<string, Uint8Array> | null = null,
  ) {
    this.#facts = facts;
    this.#now = now;
    this.#warn = warn;
    this.#sealing = sealing;
  }

  /**
   * Does one thing, as a process of its own or in the one of `lasting`; resolves when it is over. Throws only what must
   * not happen.
   */
  async perform(
    ports: ClientPorts,
    servers: readonly ServerAddress[],
    order: Order,
    lasting: LastingClient | null = null,
    signal: AbortSignal | null = null,
  ): Promise<Recorded> {
    const record: Recorded = {
      id: this.operations.length,
      order,
      invoked: this.#now(),
      returned: Infinity,
      outcome: "pending",
      value: null,
    };
    this.operations.push(record);
    if ("bytes" in order) this.#contents.lengths.set(order.value, order.bytes);
    let cluster: Cluster | null = null;
    let begun = false;
    try {
      const memory = this.#facts ? memoryOf(this.#facts) : undefined;
      const options = { user: "", login: null, warn: this.#warnOf, memory };
      const open = (): Promise<Cluster> => openCluster(ports, servers, options);
      cluster = await (lasting ? lasting.cluster(open) : open());
      const own = signal ? cluster.during(signal) : cluster;
      const space = ((await this.#sealing?.open(own, isUpkeep(order))) ?? own).space;
      // An object of its own, so that whoever spies on it sees this order alone.
      const opened = own.in(space);
      if ("value" in order) this.#spying(opened, order.value);
      if ("from" in order) record.witness = this.#contents.witness(opened);
      begun = true;
      record.value = await this.#run(opened, order);
      record.outcome = "done";
    } catch (error) {
      if (!(error instanceof DfsError)) throw error;
      if (WRONGED.test(error.message)) throw new Violation(error.message);
      record.outcome = begun ? error.code : "failed";
      this.#warn(`#${record.id} ${error.code}: ${error.message}`);
    }
    record.returned = this.#now();
    if (!lasting) cluster?.close();
    return record;
  }

  async #run(cluster: Cluster, order: Order): Promise<number | null> {
    switch (order.do) {
      case "put":
      case "putIf": {
        const vid =
          order.do === "putIf" && order.expected !== 0 ? this.#vidOf(order.expected) : null;
        const condition = order.do === "putIf" ? { condition: { vid } } : {};
        const source = inMemory(contentOf(order.value, order.bytes), attributesFor(order.value));
        const layout = layoutOf(order.layout ?? "pairs");
        if ("stream" in order) {
          await putStream(cluster, named(order.name), streamOf(source), { layout });
          return null;
        }
        await put(cluster, named(order.name), source, { layout, placement: "name", ...condition });
        return null;
      }
      case "get": {
        const sink = memorySink(cluster.ports.random.fraction() < 0.3);
        const { attributes } = await get(cluster, named(order.name), sink, {});
        return valueOf(sink.data, attributes, this.#contents.lengths);
      }
      case "readSlowly": {
        const { found, source } = await openStored(cluster, named(order.name));
        const data = new Uint8Array(found.bytes);
        const half = data.length >> 1;
        await source.read(data.subarray(0, half), 0);
        await passing(cluster, cluster.ports.random.fraction() * SLOW_MS);
        await source.read(data.subarray(half), half);
        return valueOf(data, found.attributes, this.#contents.lengths);
      }
      case "rm":
        await remove(cluster, named(order.name));
        return null;
      case "copy":
      case "rename":
      case "touch":
        await runLink(cluster, order);
        return null;
      case "list":
        for await (const _ of list(cluster, "")) void _;
        return null;
      case "levels":
        await checkLevels(cluster);
        return null;
      case "jump":
        await jump(
          order.user === undefined ? cluster : cluster.in(new Space(order.user)),
          order.name,
          order.steps,
        );
        return null;
      case "repair":
        await repairAllOf(cluster);
        return null;
      case "rebalance":
        for await (const _ of rebalance(cluster, "", { dryRun: false, placement: "name" })) void _;
        return null;
      default:
        await changeMembers(cluster, order, () => repairAllOf(cluster));
        return null;
    }
  }

  readonly #warnOf = (line: string): void => {
    if (WRONGED.test(line)) throw new Violation(line);
    this.#warn(line);
  };

  /** Learns the version of a put from the first id that it draws, so that others can name one that was never acknowledged. */
  #spying(cluster: Cluster, value: number): void {
    const { random } = cluster.ports;
    let isDrawn = false;
    const bytes = (n: number): Uint8Array => {
      const drawn = random.bytes(n);
      if (n === 16 && !isDrawn) {
        this.#vids.set(value, drawn.toHex());
        this.#contents.note(drawn.toHex(), value);
      }
      isDrawn ||= n === 16;
      return drawn;
    };
    const spied = { ...random, bytes, fraction: () => random.fraction() };
    Object.assign(cluster, { ports: { ...cluster.ports, random: spied } });
  }

  /** The version of a content; one that nobody was told of cannot be current for long, if at all. */
  #vidOf(value: number): Vid {
    return this.#vids.get(value) ?? "00000000000000000000000000000000";
  }

  /** Contents that a conditional put may name. */
  get knownValues(): number[] {
    return [...this.#vids.keys()];
  }

  /** The history of one name, for the checker. */
  historyOf(name: string): Operation[] {
    const moved = this.operations.filter(
      ({ order }) => order.do === "rebalance" || ("from" in order && order.name === name),
    );
    const history: Operation[] = [];
    for (const record of this.operations) {
      // What is put anew, or linked, is another version of the same content, so that a conflict tells nothing of the content.
      const isMoot =
        record.outcome === "conflict" &&
        record.order.do === "putIf" &&
        record.order.expected !== 0 &&
        moved.some(({ invoked }) => invoked < record.returned);
      if (isMoot) continue;
      const { order } = record;
      const told =
        "from" in order ? linkedOn({ ...record, order }, name) : operationOf(record, name);
      // Nothing can be said of a history where something unknown was written.
      if (told === "unknown") return [];
      history.push(...told);
    }
    return history;
  }
}
