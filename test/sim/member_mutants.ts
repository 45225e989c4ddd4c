/** The rules by which a cluster changes its members (model/members.ts), each broken on purpose; see mutants.ts. */
import { edit, type Mutant } from "./mutant.ts";

const MEMBERS = "src/client/members.ts";
const MIGRATE = "src/client/migrate.ts";

export const MEMBER_MUTANTS: readonly Mutant[] = [
  {
    name: "no-epochs",
    rule: "members change without epochs",
    within: 4000,
    edits: [
      edit(
        "src/server/answer.ts",
        "return BOUND_TO_EPOCH.has(kind) ? membership.at(request.to.epoch, work) : work();",
        "return BOUND_TO_EPOCH.size < 0 ? membership.at(request.to.epoch, work) : work();",
      ),
    ],
  },
  {
    name: "no-joint",
    rule: "members change without an epoch of both",
    within: 100,
    plot: "grown",
    edits: [
      edit(
        MEMBERS,
        "next: [...config.voters, seats.length - 1] });",
        "voters: [...config.voters, seats.length - 1] });",
      ),
      edit(
        MEMBERS,
        "await change(cluster, { ...config, next });",
        "await change(cluster, { ...config, voters: next });",
      ),
      edit(
        MEMBERS,
        "seats: [...seats, seatOf(server, sid)], next });",
        "seats: [...seats, seatOf(server, sid)], voters: next });",
      ),
    ],
  },
  {
    name: "no-migration",
    rule: "members change without accepting every value anew",
    within: 100,
    plot: "grown",
    edits: [edit(MIGRATE, "await migrate(cluster);", "")],
  },
  {
    name: "promised-passed-over",
    rule: "names that were only promised are not carried over",
    within: 100,
    plot: "promised",
    edits: [
      edit(
        MIGRATE,
        "if ((await settle(cluster, name, above))",
        "if (above > 0n && (await settle(cluster, name, above))",
      ),
    ],
  },
  {
    name: "unforced",
    rule: "what is committed is not accepted anew",
    within: 100,
    plot: "grown",
    edits: [edit(MIGRATE, "await settle(cluster, name, above)", "await settle(cluster, name)")],
  },
  {
    name: "late-drop",
    rule: "a copy is taken away by what was true before the members changed",
    within: 100,
    plot: "lateDrop",
    edits: [
      edit(
        "src/client/bring_home.ts",
        "// Another configuration has other homes.\n      epoch,",
        "",
      ),
    ],
  },
  {
    name: "no-floors",
    rule: "new members do not know what was forgotten",
    within: 100,
    plot: "forgotten",
    edits: [
      edit(MIGRATE, "if (!(await carryFloors(cluster))) throw tooFew();", ""),
      edit("src/client/repair.ts", "if (!options.dryRun) await carryFloors(cluster);", ""),
    ],
  },
  {
    name: "moved-unnoticed",
    rule: "a server at another address than the configuration has is not recorded there",
    within: 20,
    plot: "relocated",
    edits: [edit("src/client/open.ts", "await noteMoved(cluster);", "")],
  },
];
