// Prints what the client costs: `ratio`, the median time of `verify` divided by that of a bare signed request whose
// answer is parsed, both alternating in this process; `reuse_us`, the median microseconds of an answer that is reused,
// and `reuse_ratio`, the same divided by the time of that bare request; and `reuse_web_crypto_us`, the microseconds in runtimes
// without `node:crypto`, such as Cloudflare Workers, which have Web Crypto alone. --quick takes fewer rounds. The
// package must have been built.

import { fork } from "node:child_process";
import { once } from "node:events";
import process from "node:process";

import { AwsV4Signer } from "aws4fetch";
import { Keywright } from "../dist/index.js";

const QUICK = process.argv.includes("--quick");
const ROUNDS = QUICK ? 600 : 4000;
const REUSES = QUICK ? 2000 : 20_000;
const KEY = "kk_" + "0".repeat(92);
const OPTIONS = { permissions: ["sessions:read"], clientIp: "192.0.2.7" };

const cache = new Map(); // of signing keys, as a program would have it that signs many requests
const credentials = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret" };
const server = fork(new URL("server.mjs", import.meta.url));
const [url] = await once(server, "message");

const keywright = new Keywright(url, { region: "us-east-1", credentials });

async function bare() {
  const body = JSON.stringify({ key: KEY, ...OPTIONS });
  const signer = new AwsV4Signer({
    ...credentials,
    cache,
    service: "execute-api",
    region: "us-east-1",
    url: `${url}/auth/api-keys/verify`,
    method: "POST",
    headers: { "content-type": "application/json" },
    body,
  });
  const { headers } = await signer.sign();
  const response = await fetch(signer.url, { method: "POST", headers, body });
  const { data } = await response.json();
  return data;
}

async function timed(call) {
  const started = performance.now();
  const { valid } = await call();
  const milliseconds = performance.now() - started;
  if (valid !== true) throw new Error("the key is not valid");
  return milliseconds;
}

function median(times) {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)];
}

async function reuseMicroseconds() {
  const reusing = new Keywright(url, { region: "us-east-1", credentials, reuseSeconds: 3600 });
  const reused = [];
  for (let round = 0; round < REUSES; round += 1) reused.push(await timed(() => reusing.verify(KEY, OPTIONS)));
  return Number((median(reused) * 1000).toFixed(1));
}

const verified = [];
const signed = [];
for (let round = -ROUNDS / 4; round < ROUNDS; round += 1) {
  // The order alternates too: the second of two requests finds what the first has warmed up.
  const first = round % 2 === 0;
  const pair = first
    ? [await timed(() => keywright.verify(KEY, OPTIONS)), await timed(bare)]
    : [await timed(bare), await timed(() => keywright.verify(KEY, OPTIONS))].reverse();
  if (round < 0) continue; // warming up
  verified.push(pair[0]);
  signed.push(pair[1]);
}

const reuse = await reuseMicroseconds();
process.getBuiltinModule = undefined; // through which new clients find node:crypto
const reuseWebCrypto = await reuseMicroseconds();

server.disconnect();
console.log(
  JSON.stringify({
    ratio: Number((median(verified) / median(signed)).toFixed(3)),
    reuse_us: reuse,
    reuse_ratio: Number((reuse / 1000 / median(signed)).toFixed(5)),
    reuse_web_crypto_us: reuseWebCrypto,
  }),
);
