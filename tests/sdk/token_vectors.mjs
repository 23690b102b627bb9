// Mints and verifies the vectors with WebCrypto, as an app in JavaScript would: prints what it got as JSON.
import { readFileSync } from "node:fs";

const text = new TextEncoder();
const { subtle } = globalThis.crypto;

const base64url = (bytes) =>
  btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

async function signingKey(secret) {
  return new Uint8Array(await subtle.digest("SHA-256", text.encode("lookswrong-token-v1" + secret)));
}

async function sign(signed, key) {
  const imported = await subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return base64url(new Uint8Array(await subtle.sign("HMAC", imported, text.encode(signed))));
}

function reporterOf(part) {
  if (!/^[A-Za-z0-9_-]*$/.test(part) || part.length % 4 === 1) return undefined;
  const raw = Uint8Array.from(atob(part.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
  if (base64url(raw) !== part) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(raw);
  } catch {
    return undefined;
  }
}

/** Return why a token is refused; null: it holds. */
async function refusal(token, key, now) {
  const parts = token.split(".");
  if (parts.length !== 7) return "parts";
  const [version, kid, scope, sample, reporter, expiry, signature] = parts;
  if (version !== "v1") return "version";
  if (!/^[A-Za-z0-9-]{1,64}$/.test(kid)) return "kid";
  if (!/^(0|[1-9][0-9]{0,11})$/.test(expiry)) return "expiry";
  if (scope !== "f" && scope !== "s") return "scope";
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(sample)) return "sample";
  if (reporterOf(reporter) === undefined) return "reporter";
  if ((await sign(token.slice(0, token.lastIndexOf(".")), key)) !== signature) return "signature";
  return now < Number(expiry) ? null : "expired";
}

const fromHex = (hex) => Uint8Array.from(hex.match(/../g), (pair) => parseInt(pair, 16));
const toHex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

const vectors = JSON.parse(readFileSync(process.argv[2], "utf8"));
const valid = [];
for (const vector of vectors.valid) {
  const key = await signingKey(vector.secret);
  const reporter = base64url(text.encode(vector.reporter ?? ""));
  const signed = ["v1", vector.kid, vector.scope, vector.sample_id, reporter, vector.expires_at].join(".");
  const token = `${signed}.${await sign(signed, key)}`;
  const refused = await refusal(token, key, vector.expires_at - 1);
  valid.push({ name: vector.name, signing_key_hex: toHex(key), signed, token, refused });
}
const invalid = [];
for (const vector of vectors.invalid) {
  const refused = await refusal(vector.token, fromHex(vector.signing_key_hex), vector.now);
  invalid.push({ name: vector.name, refused });
}
console.log(JSON.stringify({ valid, invalid }));
