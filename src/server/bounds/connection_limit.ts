/**
 * The connections that a server may have, and who goes when there are no more: not the one that comes, but of the host, or the user, with
 * most of them the one that is worth least. So no flood of idle connections keeps others out, wherever it comes from.
 */

/** A connection. */
export interface Member {
  /** As `hostOf` says. */
  readonly host: string;
  /** Since when nothing has come from it nor gone to it, on the server's clock. */
  readonly quietSince: number;
  /** Is anything that it asked for not answered yet? */
  readonly isWorking: boolean;
  close(): void;
}

export class Places {
  readonly #limit: number;
  /** Those of whom it is not known who they are, by host. */
  readonly #guests = new Map<string, Set<Member>>();
  /** The others, by user. */
  readonly #settled = new Map<string, Set<Member>>();
  readonly #holders = new Map<Member, string>();
  #size = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** How many there are. */
  get size(): number {
    return this.#size;
  }

  /** One more; where there is no place for it another one is closed. */
  enter(member: Member): void {
    if (this.#size >= this.#limit)
      this.#dismiss(quietestOf([...largest(this.#guests.size > 0 ? this.#guests : this.#settled)]));
    add(this.#guests, member.host, member);
    this.#size++;
  }

  /**
   * It is known now who this is. A holder has at most as many as are left for all others; for one more the one that was quiet for
   * longest goes.
   */
  settle(member: Member, holder: string): void {
    if (!remove(this.#guests, member.host, member)) return;
    add(this.#settled, holder, member);
    this.#holders.set(member, holder);
    const own = this.#settled.get(holder);
    if (own && own.size > this.#limit - this.#holders.size)
      this.#dismiss(quietestOf([...own].filter((other) => other !== member)));
  }

  /** This one is over. */
  leave(member: Member): void {
    const holder = this.#holders.get(member);
    const isHere =
      holder === undefined
        ? remove(this.#guests, member.host, member)
        : remove(this.#settled, holder, member);
    this.#holders.delete(member);
    if (isHere) this.#size--;
  }

  #dismiss(member: Member | null): void {
    if (!member) return;
    this.leave(member);
    member.close();
  }
}

/** Of those at rest, where there are any, the one that has been quiet for longest. */
function quietestOf(members: readonly Member[]): Member | null {
  const idle = members.filter(({ isWorking }) => !isWorking);
  const among = idle.length > 0 ? idle : members;
  return among.reduce<Member | null>(
    (a, b) => (a === null || b.quietSince < a.quietSince ? b : a),
    null,
  );
}

function add(groups: Map<string, Set<Member>>, key: string, member: Member): void {
  const group = groups.get(key);
  if (group) group.add(member);
  else groups.set(key, new Set([member]));
}

function remove(groups: Map<string, Set<Member>>, key: string, member: Member): boolean {
  const group = groups.get(key);
  if (!group?.delete(member)) return false;
  if (group.size === 0) groups.delete(key);
  return true;
}

/** The group of most members. */
function largest(groups: Map<string, Set<Member>>): ReadonlySet<Member> {
  let most: ReadonlySet<Member> = new Set();
  for (const group of groups.values()) if (group.size > most.size) most = group;
  return most;
}
