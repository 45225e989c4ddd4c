/**
 * Which peers count as one host: a peer with one address can easily get others of the same network.
 * Used by session.ts, serve.ts and login.ts.
 */

const LOOPBACK = "127/8";
const GROUPS = 8;
/** The groups of an IPv6 network, as one customer has it. */
const NETWORK_GROUPS = 4;

/**
 * The host of a peer such as "10.0.0.1:5000" or "[fe80::1]:5000": its IPv4 address, its IPv6
 * network (/64), or one name for all addresses of this machine.
 */
export function hostOf(peer: string): string {
  const address = peer
    .replace(/:\d+$/, "")
    .replace(/^\[(.*)\]$/, "$1")
    .replace(/%.*$/, "");
  const v4 = /^(?:::ffff:)?(\d+(?:\.\d+){3})$/i.exec(address)?.[1];
  if (v4 !== undefined) return v4.startsWith("127.") ? LOOPBACK : v4;
  if (!address.includes(":")) return address;
  const groups = groupsOf(address);
  if (groups.slice(0, -1).every((group) => group === 0) && groups.at(-1) === 1) return LOOPBACK;
  const network = groups.slice(0, NETWORK_GROUPS).map((group) => group.toString(16));
  return `${network.join(":")}::/64`;
}

/** The eight numbers of an IPv6 address, with the zeros that "::" stands for. */
function groupsOf(address: string): number[] {
  const [head = [], tail = []] = address
    .split("::")
    .map((half) => half.split(":").filter((group) => group !== ""));
  const zeros = Array.from({ length: Math.max(0, GROUPS - head.length - tail.length) }, () => "0");
  return [...head, ...zeros, ...tail].map((group) => Number.parseInt(group, 16) || 0);
}
