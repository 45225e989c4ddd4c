/**
 * Bounds the number of connections of a server. When all places are taken, the new connection is
 * not the one refused: of the host, or the user, with the most connections, the one that is worth
 * least is closed. So no flood of idle connections keeps others out, wherever it comes from. Used
 * by serve.ts and session.ts.
 */

/** A connection, as the limit sees it. */
export interface Connection {
  /** As `hostOf` returns it. */
  readonly host: string;
  /** Since when nothing has come from it or gone to it, on the server's clock. */
  readonly quietSince: number;
  /** Is any of its requests not answered yet? */
  readonly isWorking: boolean;
  close(): void;
}

export class ConnectionLimit {
  readonly #limit: number;
  /** Connections whose user is not known yet, by host. */
  readonly #guests = new Map<string, Set<Connection>>();
  /** The other connections, by user. */
  readonly #known = new Map<string, Set<Connection>>();
  readonly #userOf = new Map<Connection, string>();
  #size = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** How many connections there are. */
  get size(): number {
    return this.#size;
  }

  /** Adds a connection. If there is no place for it, another one is closed. */
  enter(connection: Connection): void {
    if (this.#size >= this.#limit)
      this.#dismiss(quietestOf([...largest(this.#guests.size > 0 ? this.#guests : this.#known)]));
    add(this.#guests, connection.host, connection);
    this.#size++;
  }

  /**
   * Notes the user of a connection. A user may have at most as many connections as all others leave
   * free; for one more, the user's connection is closed that has been quiet for longest.
   */
  setUser(connection: Connection, user: string): void {
    if (!remove(this.#guests, connection.host, connection)) return;
    add(this.#known, user, connection);
    this.#userOf.set(connection, user);
    const own = this.#known.get(user);
    if (own && own.size > this.#limit - this.#userOf.size)
      this.#dismiss(quietestOf([...own].filter((other) => other !== connection)));
  }

  /** Removes a connection that has ended. */
  leave(connection: Connection): void {
    const user = this.#userOf.get(connection);
    const isHere =
      user === undefined
        ? remove(this.#guests, connection.host, connection)
        : remove(this.#known, user, connection);
    this.#userOf.delete(connection);
    if (isHere) this.#size--;
  }

  #dismiss(connection: Connection | null): void {
    if (!connection) return;
    this.leave(connection);
    connection.close();
  }
}

/**
 * The connection that has been quiet for longest; of those without a request under way, if there
 * are any.
 */
function quietestOf(connections: readonly Connection[]): Connection | null {
  const idle = connections.filter(({ isWorking }) => !isWorking);
  const among = idle.length > 0 ? idle : connections;
  return among.reduce<Connection | null>(
    (a, b) => (a === null || b.quietSince < a.quietSince ? b : a),
    null,
  );
}

function add(groups: Map<string, Set<Connection>>, key: string, connection: Connection): void {
  const group = groups.get(key);
  if (group) group.add(connection);
  else groups.set(key, new Set([connection]));
}

function remove(
  groups: Map<string, Set<Connection>>,
  key: string,
  connection: Connection,
): boolean {
  const group = groups.get(key);
  if (!group?.delete(connection)) return false;
  if (group.size === 0) groups.delete(key);
  return true;
}

/** The largest of the groups. */
function largest(groups: Map<string, Set<Connection>>): ReadonlySet<Connection> {
  let most: ReadonlySet<Connection> = new Set();
  for (const group of groups.values()) if (group.size > most.size) most = group;
  return most;
}
