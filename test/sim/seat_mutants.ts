/** The rules by which a cluster is founded, and seats are given, each broken on purpose; see mutants.ts. */
import { withoutJoint, type Mutant } from "./mutant.ts";

export const SEAT_MUTANTS: readonly Mutant[] = [
  {
    name: "met-majority",
    rule: "founding takes a majority of those that were met, not of all that are listed",
    within: 100,
    plot: "halves",
    breaks: {
      "majority-of-listed": "never",
      "all-listed-decide": (was) =>
        `${was}.filter((slot) => greeted.some((one) => one.peer.address === servers[slot]))`,
    },
  },
  {
    name: "any-epoch",
    rule: "who was about to found a cluster proposes that when it is founded",
    within: 100,
    plot: "lateFounder",
    breaks: { "change-at-its-epoch": "skip" },
  },
  {
    name: "one-register",
    rule: "what was accepted for the founding counts after it, when others decide",
    within: 100,
    plot: "joined",
    breaks: { "founding-starts-anew": "never" },
  },
  {
    name: "join-at-once",
    rule: "who is late joins without an epoch of both",
    within: 100,
    plot: "joined",
    breaks: { "join-by-joint-epoch": withoutJoint },
  },
  {
    name: "any-seat",
    rule: "a server that lost its data takes the seat of one that was never seen",
    within: 100,
    plot: "emptied",
    breaks: { "open-seats-first": (was) => `vacantIn(config)[0] ?? ${was}` },
  },
  {
    name: "by-address",
    rule: "requests are for who is at the address of a seat, whatever its id",
    within: 100,
    plot: "sameSid",
    breaks: {
      "servers-by-id": (was) =>
        `${was} ?? ((seat) => this.connections.greeted.find(({ peer }) => !peer.isDown && peer.address.host === seat?.host && peer.address.port === seat?.port)?.peer)(this.view.config.seats[slot]) ?? null`,
      "members-by-id": "always",
    },
  },
];
