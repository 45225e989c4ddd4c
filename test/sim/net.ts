/**
 * The simulated network: machines by name, links with weather, and the faults a workload makes. A
 * host is a machine's name; "127.0.0.1" and "localhost" are the machine itself, and a listener is
 * reached whatever host it named.
 */
import { createHash } from "node:crypto";
import { DfsError } from "../../src/errors.ts";
import type { Certificate, Conn, Listener, Net } from "../../src/io/ports.ts";
import { SimConn, type Wire } from "./connection.ts";
import type { Rng } from "./random.ts";
import { drawWeather, type Weather } from "./weather.ts";
import { never, type Machine } from "./machine.ts";
import type { World } from "./world.ts";

const LOOPBACK = new Set(["127.0.0.1", "localhost", "::1"]);
const FIRST_EPHEMERAL_PORT = 32768;
/** What was to open a connection and got no answer is sent again after so long, and then after twice as long each time. */
const RESEND_MS = 1000;
/** Ways of the link from the knock to the end of the client's handshake. */
const TLS_TURNS = 3;
const SNAP_MS = 300;

interface Listening {
  readonly machine: Machine;
  readonly accept: (conn: Conn) => void;
  readonly secure: boolean;
  open: boolean;
}

const linkOf = (a: string, b: string): string => (a < b ? `${a}|${b}` : `${b}|${a}`);

const portKey = (machine: string, port: number): string => `${machine}:${port}`;

export class SimNet {
  weather: Weather;
  /** How often a frozen machine's backlog is full, so that it does not even connect. */
  backlogFullChance = 0.1;
  readonly #world: World;
  readonly #rng: Rng;
  readonly #losses: Rng;
  /** Machines that no first packet reaches, until then. */
  readonly #deafUntil = new Map<string, number>();
  readonly #listening = new Map<string, Listening>();
  readonly #latencies = new Map<string, number>();
  readonly #cuts = new Set<string>();
  readonly #open = new Map<
    Wire,
    { readonly link: string; readonly ends: readonly [SimConn, SimConn] }
  >();
  readonly #mourned = new WeakSet<Machine>();
  #nextPort = FIRST_EPHEMERAL_PORT;
  #bindings = 0;

  /** Without a weather, the seed draws one. */
  constructor(world: World, weather?: Weather) {
    this.#world = world;
    this.#rng = world.rng.fork("net");
    this.weather = weather ?? drawWeather(this.#rng);
    this.#losses = this.#rng.fork("losses");
  }

  /** The Net port of one machine. */
  of(machine: Machine): Net {
    if (!this.#mourned.has(machine)) {
      this.#mourned.add(machine);
      machine.lastWords.push(() => this.#bury(machine));
    }
    return {
      connect: (host, port, ms, secure) => this.#connect(machine, host, port, ms, secure),
      listen: (_host, port, accept, certificate) =>
        this.#listen(machine, port, accept, certificate),
    };
  }

  /** How many connections are open, so that a workload can tell that none leaks. */
  get connections(): number {
    return this.#open.size;
  }

  /**
   * Two machines no longer reach each other: each connection between them stalls, or breaks within
   * a moment.
   */
  cutLink(a: string, b: string): void {
    const link = linkOf(a, b);
    if (this.#cuts.has(link)) return;
    this.#world.note("cut", link);
    this.#cuts.add(link);
    for (const { link: other, ends } of this.#open.values()) {
      if (other === link && this.#rng.chance(0.5)) ends[0].snap(SNAP_MS, true);
    }
  }

  /** Two machines reach each other again; what stalled goes on. */
  healLink(a: string, b: string): void {
    const link = linkOf(a, b);
    if (!this.#cuts.delete(link)) return;
    this.#world.note("heal", link);
    for (const { link: other, ends } of this.#open.values()) if (other === link) ends[0].resume();
  }

  /** For so long whatever is to open a connection to this machine is lost on its way. */
  loseFirst(name: string, ms: number): void {
    this.#world.note("lose", name);
    this.#deafUntil.set(name, this.#world.now + ms);
  }

  /** Links that were used before get the latencies of the weather that it is now. */
  forgetLatencies(): void {
    this.#latencies.clear();
  }

  #isLost(server: string): boolean {
    return (
      this.#world.now < (this.#deafUntil.get(server) ?? 0) ||
      this.#losses.chance(this.weather.lostChance)
    );
  }

  /** Heals all links. */
  healAll(): void {
    for (const link of this.#cuts) {
      const [a, b] = link.split("|") as [string, string];
      this.healLink(a, b);
    }
  }

  /** Every connection of a machine breaks; new ones work. */
  breakConnections(name: string): void {
    this.#world.note("break", name);
    for (const { ends } of this.#open.values()) {
      if (ends.some((end) => end.owner.name === name)) ends[0].snap(this.weather.farMs, false);
    }
  }

  #bury(machine: Machine): void {
    for (const [key, { machine: owner }] of this.#listening)
      if (owner === machine) this.#listening.delete(key);
    for (const { ends } of this.#open.values()) {
      for (const end of ends) if (end.owner === machine) end.die();
    }
  }

  #latency(link: string): number {
    let ms = this.#latencies.get(link);
    if (ms === undefined) {
      const { nearMs, farMs } = this.weather;
      ms = nearMs + Math.max(0, farMs - nearMs) * this.#rng.fraction() ** 2;
      this.#latencies.set(link, ms);
    }
    return ms;
  }

  #listen(
    machine: Machine,
    wanted: number,
    accept: (conn: Conn) => void,
    certificate: Certificate | null,
  ): Promise<Listener> {
    return this.#world.operation(machine, 0, "listen", () => {
      let port = wanted;
      while (port === 0) {
        const free = this.#ephemeralPort();
        if (!this.#listening.has(portKey(machine.name, free))) port = free;
      }
      const key = portKey(machine.name, port);
      if (this.#listening.has(key)) {
        throw new DfsError("folder", `cannot listen on ${key}: another program is using it`);
      }
      const listening: Listening = { machine, accept, secure: certificate !== null, open: true };
      this.#listening.set(key, listening);
      const close = (): void => {
        listening.open = false;
        if (this.#listening.get(key) === listening) this.#listening.delete(key);
      };
      return { port, close };
    });
  }

  #ephemeralPort(): number {
    const port = this.#nextPort++;
    if (this.#nextPort > 60_999) this.#nextPort = FIRST_EPHEMERAL_PORT;
    return port;
  }

  #connect(
    client: Machine,
    host: string,
    port: number,
    ms: number,
    secure: boolean,
  ): Promise<Conn> {
    if (!client.alive) return never();
    const world = this.#world;
    const server = LOOPBACK.has(host) ? client.name : host;
    const link = linkOf(client.name, server);
    const latencyMs = this.#latency(link);
    return new Promise((resolve, reject) => {
      let settled = false;
      const fail = (why: string): void => {
        settled = true;
        world.cancel(deadline);
        reject(new DfsError("down", `${host}:${port}: ${why}`));
      };
      const deadline = world.after(ms, client, "connect deadline", () =>
        fail(`no connection within ${ms} ms`),
      );

      let resendMs = RESEND_MS;
      const knock = (): void => {
        if (settled || !client.alive) return;
        const listening = this.#listening.get(portKey(server, port));
        const backlogFull = listening?.machine.frozen && this.#rng.chance(this.backlogFullChance);
        const boxFrozen = !listening && this.#world.machines.get(server)?.frozen;
        if (this.#cuts.has(link) || backlogFull || boxFrozen || this.#isLost(server)) {
          world.after(resendMs, null, "knock again", knock);
          resendMs *= 2;
        } else if (!listening) {
          world.after(latencyMs, client, "refused", () => settled || fail("connection refused"));
        } else {
          const where = `${host}:${port}`;
          const conn = this.#join(client, listening, secure, link, latencyMs, where);
          world.after(latencyMs * (secure ? TLS_TURNS : 1), client, "connected", () => {
            if (settled) return conn.close();
            if (secure && !listening.secure) {
              conn.close();
              return fail("the server speaks no TLS");
            }
            settled = true;
            world.cancel(deadline);
            resolve(conn);
          });
        }
      };
      world.after(latencyMs, null, "knock", knock);
    });
  }

  #join(
    client: Machine,
    to: Listening,
    secure: boolean,
    link: string,
    latencyMs: number,
    where: string,
  ): SimConn {
    const wire: Wire = {
      world: this.#world,
      rng: this.#rng,
      weather: this.weather,
      latencyMs,
      binding: secure && to.secure ? this.#binding() : null,
      isCut: () => this.#cuts.has(link),
      forget: () => void this.#open.delete(wire),
    };
    const from = `${client.name}:${this.#ephemeralPort()}`;
    const ends = SimConn.pair(wire, client, to.machine, where, from);
    this.#open.set(wire, { link, ends });
    // A peer without TLS, where there must be TLS, is dropped, and nobody hears of it.
    const isHeard = secure || !to.secure;
    this.#world.after(0, to.machine, "accept", () =>
      to.open && isHeard ? to.accept(ends[1]) : ends[1].close(),
    );
    return ends[0];
  }

  /** 32 bytes that no other connection has, and every run of the seed. */
  #binding(): Uint8Array {
    return createHash("sha256").update(`connection ${this.#bindings++}`).digest();
  }
}
