/** What one operation did to the history of a name, as its client knows. Those that link are in links.ts. */
import type { Operation } from "./linearizable.ts";
import type { Recorded } from "./operations.ts";

/** What an operation tells about a name; nothing where it had no effect and saw nothing. */
export function operationOf(
  { order, outcome, invoked, returned, value }: Recorded,
  name: string,
): Operation[] {
  if (!("name" in order) || order.name !== name) return [];
  const open = ["pending", "open", "interrupted"].includes(outcome);
  const when = { invoked, returned: open ? Infinity : returned };
  switch (order.do) {
    case "get":
    case "readSlowly":
      if (outcome === "done") return [{ ...when, effect: { is: "read", value: value ?? 0 } }];
      return outcome === "noSuchName" ? [{ ...when, effect: { is: "read", value: 0 } }] : [];
    case "put":
      return open || outcome === "done"
        ? [{ ...when, effect: { is: "write", value: order.value } }]
        : [];
    case "putIf": {
      const { expected } = order;
      if (outcome === "conflict") return [{ ...when, effect: { is: "readNot", value: expected } }];
      return open || outcome === "done"
        ? [{ ...when, effect: { is: "writeIf", expected, value: order.value } }]
        : [];
    }
    case "rm":
      if (outcome === "noSuchName") return [{ ...when, effect: { is: "read", value: 0 } }];
      return open || outcome === "done" ? [{ ...when, effect: { is: "write", value: 0 } }] : [];
    default:
      return [];
  }
}
