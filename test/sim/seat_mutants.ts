/** The rules by which a cluster is founded, and seats are given, each broken on purpose; see mutants.ts. */
import { edit, type Mutant } from "./mutant.ts";

const INITIALISE = "src/client/members/initialise.ts";

export const SEAT_MUTANTS: readonly Mutant[] = [
  {
    name: "met-majority",
    rule: "founding takes a majority of those that were met, not of all that are listed",
    within: 100,
    plot: "halves",
    edits: [
      edit(INITIALISE, "groupOf([...servers.keys()]);", "groupOf([...greeted.keys()]);"),
      edit(
        INITIALISE,
        "voters: [...servers.keys()],",
        "voters: [...servers.keys()].filter((i) => greeted.some(({ peer }) => peer.address === servers[i])),",
      ),
    ],
  },
  {
    name: "any-epoch",
    rule: "who was about to found a cluster proposes that when it is founded",
    within: 100,
    plot: "lateFounder",
    edits: [edit("src/client/agree/change.ts", "epoch: config.epoch - 1,", "")],
  },
  {
    name: "one-register",
    rule: "what was accepted for the founding counts after it, when others decide",
    within: 100,
    plot: "joined",
    edits: [
      edit(
        "src/store/membership.ts",
        'this.#catalog.dropRegister("", "");',
        "this.#catalog.register.length;",
      ),
    ],
  },
  {
    name: "join-at-once",
    rule: "who is late joins without an epoch of both",
    within: 100,
    plot: "joined",
    edits: [
      edit(
        "src/membership.ts",
        "return renewed({ ...config, seats, next, awaited });",
        "return renewed({ ...config, seats, voters: next, awaited });",
      ),
    ],
  },
  {
    name: "any-seat",
    rule: "a server that lost its data takes the seat of one that was never seen",
    within: 100,
    plot: "emptied",
    edits: [
      edit(
        "src/client/members/seats.ts",
        "return [...open, ...vacantIn(config)].find(",
        "return vacantIn(config)[0] ?? open.find(",
      ),
    ],
  },
  {
    name: "by-address",
    rule: "requests are for who is at the address of a seat, whatever its id",
    within: 100,
    plot: "sameSid",
    edits: [
      edit(
        "src/client/connect/cluster.ts",
        "return sid === null ? null : this.connections.ofSid(sid);",
        "return sid === null ? null : (this.connections.ofSid(sid) ?? this.connections.at(this.view.config.seats[slot]!));",
      ),
      edit(
        "src/client/connect/blank.ts",
        "members.includes(greeting.sid)",
        "members.some((sid) => sid !== greeting.sid)",
      ),
      edit(
        "src/client/connect/connections.ts",
        "  /** The connection to the server with this id, if there is one, and it counts. */",
        `  at(seat: Seat): Peer | null {
    const peers = [...this.#bySid.values()].filter(({ isDown }) => !isDown);
    return peers.find(({ address }) => addressText(address) === addressText(seat)) ?? null;
  }
`,
      ),
    ],
  },
];
