import assert from "node:assert/strict";
import { test } from "node:test";

import { Keywright } from "../src/index.js";
import { environment } from "./support/environment.js";
import { ARN, CREDENTIALS, KEY, OPTIONS, VALID } from "./support/samples.js";
import { data, serve } from "./support/server.js";
import { expectedSignature, signatureOf } from "./support/sigv4.js";
import { clocks } from "./support/time.js";

const ANSWER = data(VALID, { status: 200, headers: {} });

test("the signature of a request to the API is that of AWS, for keys in any characters", async (t) => {
  const { url, requests } = await serve(t, ANSWER);

  await new Keywright(url, OPTIONS).verify(`${KEY} "ä\u{1F511}\n`);

  const [request] = requests;
  assert.ok(request);
  assert.equal(signatureOf(request), expectedSignature(request));
});

test("the signature covers the session token of temporary credentials", async (t) => {
  const { url, requests } = await serve(t, ANSWER);
  const credentials = { ...CREDENTIALS, sessionToken: "IQoJb3JpZ2luX2VjE+/=" };

  await new Keywright(url, { ...OPTIONS, credentials }).verify(KEY);

  const [request] = requests;
  assert.ok(request);
  assert.equal(request.headers["x-amz-security-token"], credentials.sessionToken);
  assert.equal(signatureOf(request), expectedSignature(request));
});

test("the signature of an invocation is that of AWS, although its path has an encoded ARN", async (t) => {
  const { url, requests } = await serve(t, ANSWER);
  environment(t, { AWS_ENDPOINT_URL: new URL(url).origin });

  await new Keywright({ function: `${ARN}:live`, credentials: CREDENTIALS }).verify(KEY);

  const [request] = requests;
  assert.ok(request);
  assert.equal(signatureOf(request), expectedSignature(request));
});

test("the signatures of one client are those of AWS, on each of several days", async (t) => {
  const clock = clocks(t);
  const { url, requests } = await serve(t, ANSWER);
  const client = new Keywright(url, OPTIONS);

  for (let request = 0; request < 6; request += 1) {
    await client.verify(KEY);
    clock.forward(12 * 3_600_000);
  }

  assert.deepEqual(requests.map(signatureOf), requests.map(expectedSignature));
  assert.equal(new Set(requests.map(signatureOf)).size, 6);
});

test("the key of a signature is derived once, and forgotten when other credentials have been used", async (t) => {
  const { url } = await serve(t, ANSWER);
  let accessKeyId = "AKIDFIRST";
  const credentials = () => ({ accessKeyId, secretAccessKey: `secret of ${accessKeyId}`.replaceAll(" ", "-") });
  const client = new Keywright(url, { ...OPTIONS, credentials });
  const sign = t.mock.method(crypto.subtle, "sign");
  const signatures: number[] = [];

  for (accessKeyId of ["AKIDFIRST", "AKIDFIRST", "AKIDSECOND", "AKIDTHIRD", "AKIDFIRST"]) {
    sign.mock.resetCalls();
    await client.verify(KEY);
    signatures.push(sign.mock.callCount());
  }

  assert.deepEqual(signatures, [5, 1, 5, 5, 5]); // four to derive the key, one to sign
});
