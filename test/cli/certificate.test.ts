/** The certificate of a server's folder. */
import { afterAll, describe, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { certificateIn, newCertificate } from "../../src/server/process/certificate.ts";
import { errorOf } from "../io/harness.ts";
import { newFolder, removeFolders } from "../harness/program.ts";

const DAY_MS = 24 * 3600 * 1000;

afterAll(removeFolders);

describe("a folder without one", () => {
  test("gets one, which stays", async () => {
    const folder = join(newFolder(), "not", "there", "yet");
    const made = await certificateIn(folder);
    expect(await certificateIn(folder)).toEqual(made);
    expect(readdirSync(folder)).toEqual(["tls.pem"]);
    const text = readFileSync(join(folder, "tls.pem"), "utf8");
    expect(text).toContain(made.cert);
    expect(text).toContain(made.key);
  });

  test("gets it even where a crash left the half of one", async () => {
    const folder = newFolder();
    writeFileSync(join(folder, "tls.pem.new"), "-----BEGIN CERT");
    await certificateIn(folder);
    expect(readdirSync(folder)).toEqual(["tls.pem"]);
  });

  test.skipIf(process.platform === "win32")("gets one that only its owner reads", async () => {
    const folder = newFolder();
    await certificateIn(folder);
    expect(statSync(join(folder, "tls.pem")).mode & 0o777).toBe(0o600);
  });
});

test("it is on P-256, signed by itself, and stands from yesterday for a hundred years", async () => {
  const { cert } = await newCertificate();
  const certificate = new X509Certificate(cert);
  expect(certificate.subject).toBe("CN=dfs-tool");
  expect(certificate.verify(certificate.publicKey)).toBe(true);
  expect(certificate.publicKey.asymmetricKeyDetails?.namedCurve).toBe("prime256v1");
  const [from, to] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)];
  expect(from).toBeLessThan(Date.now());
  expect((to - from) / DAY_MS).toBe(36_525);
});

test("no two are the same", async () => {
  const [a, b] = [await newCertificate(), await newCertificate()];
  expect(a.key).not.toBe(b.key);
  expect(new X509Certificate(a.cert).serialNumber).not.toBe(
    new X509Certificate(b.cert).serialNumber,
  );
});

describe("tls.pem", () => {
  const damages: [string, (text: string) => string | Promise<string>][] = [
    ["empty", () => ""],
    ["cut", (text) => text.slice(0, text.length / 2)],
    ["without a key", (text) => text.slice(0, text.indexOf("-----BEGIN PRIVATE"))],
    ["without a certificate", (text) => text.slice(text.indexOf("-----BEGIN PRIVATE"))],
    ["with a byte that changed", (text) => text.replace(/[a-z](?=.{30}\n)/, "!")],
    [
      "with the key of another",
      async (text) =>
        text.slice(0, text.indexOf("-----BEGIN PRIVATE")) + (await newCertificate()).key,
    ],
  ];
  test.each(damages)("%s is damaged, and stays as it is", async (_what, damage) => {
    const folder = newFolder();
    const path = join(folder, "tls.pem");
    const { cert, key } = await certificateIn(folder);
    const damaged = await damage(`${cert}\n${key}\n`);
    writeFileSync(path, damaged);
    const { message } = await errorOf("folder", certificateIn(folder));
    expect(message).toStartWith(`${path} is damaged: `);
    expect(message).toEndWith("remove it, and the next start makes a new one");
    expect(readFileSync(path, "utf8")).toBe(damaged);
  });

  test("may be anybody's, in any order, with more certificates above it", async () => {
    const folder = newFolder();
    const [own, above] = [await newCertificate(), await newCertificate()];
    const text = `theirs\r\n${own.key}\r\n${own.cert}\r\n${above.cert}\r\n`;
    writeFileSync(join(folder, "tls.pem"), text);
    expect(await certificateIn(folder)).toEqual({
      cert: `${own.cert}\n${above.cert}`,
      key: own.key,
    });
  });

  test("where it cannot be, an error names it", async () => {
    const file = join(newFolder(), "file");
    writeFileSync(file, "");
    const { message } = await errorOf("failed", certificateIn(file));
    expect(message).toBe(`${join(file, "tls.pem")}: a part of the path is not a folder`);
  });
});
