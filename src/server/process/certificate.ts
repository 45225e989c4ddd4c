/**
 * The certificate of a server's TLS: FOLDER/tls.pem, made at the first start; the operator may put
 * another one there. It signs itself, and no client checks it: a client knows its server by a login
 * that is bound to the connection (docs/design.md section 6). Used by `serve`.
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { asDfsError, DfsError } from "../../errors.ts";
import { bunClock, bunRandom } from "../../io/bun.ts";
import { bunDisk } from "../../io/bun_disk.ts";
import type { Certificate } from "../../io/ports.ts";
import { replaceDurably } from "../../io/replace_durably.ts";

const FILE = "tls.pem";
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const SERIAL_BYTES = 16;
const DAY_MS = 24 * 3600 * 1000;
/** A hundred years; and from a day ago, for clocks that are late. */
const VALID_DAYS = 36_525;

/** The certificate of the server in this folder, which is made, and durable, if there was none. */
export async function certificateIn(folder: string): Promise<Certificate> {
  const path = join(folder, FILE);
  const stored = await textOf(path);
  if (stored !== null) return parse(path, stored);
  const made = await newCertificate();
  const text = new TextEncoder().encode(`${made.cert}\n${made.key}\n`);
  await bunDisk.makeFolder(folder);
  // Only its owner may read it: the key is in it.
  await naming(path, "written", () => replaceDurably(bunDisk, folder, path, text));
  return made;
}

/** A new key on P-256 and a certificate signed by itself. */
export async function newCertificate(): Promise<Certificate> {
  // Loading them takes longer than most commands take; and the first must be there before the
  // second.
  await import("reflect-metadata");
  const { PemConverter, X509CertificateGenerator } = await import("@peculiar/x509");
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const from = bunClock.wall() - DAY_MS;
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: "CN=dfs-tool",
    serialNumber: Buffer.from(bunRandom.bytes(SERIAL_BYTES)).toString("hex"),
    notBefore: new Date(from),
    notAfter: new Date(from + VALID_DAYS * DAY_MS),
    keys,
    signingAlgorithm: ALGORITHM,
  });
  const secret = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
  return { cert: certificate.toString("pem"), key: PemConverter.encode(secret, "PRIVATE KEY") };
}

/** The text of a file; null if there is none. */
async function textOf(path: string): Promise<string | null> {
  if ((await bunDisk.stat(path)) === null) return null;
  return naming(path, "read", () => readFile(path, "utf8"));
}

function parse(path: string, text: string): Certificate {
  const blocks = text.match(/-----BEGIN ([A-Z ]+)-----[^-]+-----END \1-----/g) ?? [];
  const cert = blocks.filter((block) => block.includes("BEGIN CERTIFICATE")).join("\n");
  const key = blocks.find((block) => block.includes("PRIVATE KEY")) ?? "";
  try {
    if (new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) return { cert, key };
  } catch {
    // Said below.
  }
  throw new DfsError(
    "folder",
    `${path} is damaged: it has no key and certificate that match; remove it, and the next start makes a new one`,
  );
}

/** Errors name the file, and are those of a folder that cannot be served. */
async function naming<T>(path: string, what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const why = asDfsError(error).message.replace(`${path}: `, "");
    throw new DfsError("folder", `${path} cannot be ${what}: ${why}`);
  }
}
