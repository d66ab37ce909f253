import assert from "node:assert/strict";
import { test } from "node:test";

import { ApiConnectionError, ApiError, Keywright } from "../src/index.js";
import { DETAILS, ID, KEY, OPTIONS, VALID } from "./support/samples.js";
import { data, failure, reset, serve, type Reply } from "./support/server.js";
import { pauses } from "./support/time.js";

/** Return a function that sends requests after it has failed once, as that of a runtime does. */
function failingOnce(cause: object): typeof fetch {
  let sent = 0;
  return async (...request) => {
    if (sent++ === 0) throw new TypeError("fetch failed", { cause });
    return fetch(...request);
  };
}

const DELETED = data({ status: "success", message: "The API key was deleted" });

for (const [name, reply] of Object.entries<Reply>({
  "a closed connection": reset,
  "an unavailable service": failure(503, "SERVICE_UNAVAILABLE"),
  "a bug of the service": failure(500, "INTERNAL_SERVER_ERROR"),
  "a bad gateway": { status: 502 },
  "a gateway that waited in vain": { status: 504 },
  "a throttled request": failure(429, "TOO_MANY_REQUESTS"),
  "a throttled request without a reason": { status: 429 },
})) {
  test(`${name} is tried again`, async (t) => {
    pauses(t);
    const { url, requests } = await serve(t, reply, data(VALID));

    assert.deepEqual(await new Keywright(url, OPTIONS).verify(KEY), VALID);
    assert.equal(requests.length, 2);
  });
}

for (const [name, reply] of Object.entries<Reply>({
  "an invalid request": failure(400, "BAD_REQUEST"),
  "a forbidden request": failure(403, "FORBIDDEN"),
  "a conflict": failure(409, "CONFLICT"),
  "a limit that is reached": failure(429, "RATE_LIMITED"),
  "an answer that is malformed": { body: "{" },
  "an answer of 501": { status: 501 },
})) {
  test(`${name} is not tried again`, async (t) => {
    pauses(t);
    const { url, requests } = await serve(t, reply);

    await assert.rejects(new Keywright(url, OPTIONS).verify(KEY), ApiError);
    assert.equal(requests.length, 1);
  });
}

test("after two further attempts the last error is thrown", async (t) => {
  pauses(t);
  const { url, requests } = await serve(t, reset, reset, failure(503, "SERVICE_UNAVAILABLE"));

  await assert.rejects(new Keywright(url, OPTIONS).verify(KEY), { code: "SERVICE_UNAVAILABLE" });
  assert.equal(requests.length, 3);
});

test("without retries the first error is thrown", async (t) => {
  const { url, requests } = await serve(t, reset);

  await assert.rejects(new Keywright(url, { ...OPTIONS, retries: 0 }).verify(KEY), ApiConnectionError);
  assert.equal(requests.length, 1);
});

test("pauses are random below a bound that doubles up to two seconds", async (t) => {
  const taken = pauses(t);
  const { url } = await serve(t, failure(503, "SERVICE_UNAVAILABLE"));

  await assert.rejects(new Keywright(url, { ...OPTIONS, retries: 7 }).verify(KEY), ApiError);
  assert.deepEqual(taken, [100, 200, 400, 800, 1600, 2000, 2000]);
});

test("a pause can be nearly nothing", async (t) => {
  const taken = pauses(t, 0);
  const { url } = await serve(t, failure(503, "SERVICE_UNAVAILABLE"), data(VALID));

  await new Keywright(url, OPTIONS).verify(KEY);
  assert.deepEqual(taken, [0]);
});

test("the pause that the service asks for is kept, and a random one added", async (t) => {
  const taken = pauses(t);
  const { url } = await serve(t, failure(503, "SERVICE_UNAVAILABLE", { "retry-after": "10" }), data(VALID));

  await new Keywright(url, OPTIONS).verify(KEY);
  assert.deepEqual(taken, [10_100]);
});

test("a service that asks for more than ten seconds is not waited for", async (t) => {
  const taken = pauses(t);
  const { url } = await serve(t, failure(429, "TOO_MANY_REQUESTS", { "retry-after": "11" }), data(VALID));

  await assert.rejects(new Keywright(url, OPTIONS).verify(KEY), { retryAfterSeconds: 11 });
  assert.deepEqual(taken, []);
});

test("a pause that is not a number of seconds is ignored", async (t) => {
  const taken = pauses(t);
  const later = "Wed, 21 Oct 2099 07:28:00 GMT";
  const { url } = await serve(t, failure(503, "SERVICE_UNAVAILABLE", { "retry-after": later }), data(VALID));

  await new Keywright(url, OPTIONS).verify(KEY);
  assert.deepEqual(taken, [100]);
});

test("a repeated creation has the same Idempotency-Key and body", async (t) => {
  pauses(t);
  const { url, requests } = await serve(t, reset, failure(503, "SERVICE_UNAVAILABLE"), data({ id: ID, key: KEY }));

  await new Keywright(url, OPTIONS).create({ name: "CI", permissions: ["sessions:read"] });

  const sent = new Set(requests.map(({ headers, body }) => `${headers["idempotency-key"]} ${body}`));
  assert.deepEqual([requests.length, sent.size], [3, 1]);
  assert.match(
    requests[0]?.headers["idempotency-key"] as string,
    /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f-]{17}$/,
  );
});

test("a repeated rotation has the same Idempotency-Key", async (t) => {
  pauses(t);
  const rotated = { id: ID, key: KEY, apiKey: DETAILS, previousKeyExpiresAt: null };
  const { url, requests } = await serve(t, reset, data(rotated));

  await new Keywright(url, OPTIONS).rotate(ID);

  assert.equal(new Set(requests.map(({ headers }) => headers["idempotency-key"])).size, 1);
});

test("two creations have different Idempotency-Keys", async (t) => {
  const { url, requests } = await serve(t, data({ id: ID, key: KEY }));
  const client = new Keywright(url, OPTIONS);

  await client.create({ name: "CI", permissions: ["sessions:read"] });
  await client.create({ name: "CI", permissions: ["sessions:read"] });

  assert.notEqual(requests[0]?.headers["idempotency-key"], requests[1]?.headers["idempotency-key"]);
});

for (const [name, first] of Object.entries<Reply>({
  "no answer": reset,
  "an error of the service": failure(503, "SERVICE_UNAVAILABLE"),
})) {
  test(`a deletion that got ${name} has succeeded if the key is not found afterwards`, async (t) => {
    pauses(t);
    const { url } = await serve(t, first, failure(404, "API_KEY_NOT_FOUND"));

    assert.equal(await new Keywright(url, OPTIONS).delete(ID), undefined);
  });
}

test("a deletion of a key that is not found at once is an error", async (t) => {
  const { url } = await serve(t, failure(404, "API_KEY_NOT_FOUND"));

  await assert.rejects(new Keywright(url, OPTIONS).delete(ID), { code: "API_KEY_NOT_FOUND" });
});

test("a deletion that was throttled has had no effect, so that a key that is not found is an error", async (t) => {
  pauses(t);
  const { url } = await serve(t, failure(429, "TOO_MANY_REQUESTS"), failure(404, "API_KEY_NOT_FOUND"));

  await assert.rejects(new Keywright(url, OPTIONS).delete(ID), { code: "API_KEY_NOT_FOUND" });
});

for (const cause of [
  { code: "ECONNREFUSED" },
  { code: "ENOTFOUND" },
  { code: "EAI_AGAIN" },
  { code: "UND_ERR_CONNECT_TIMEOUT" },
  { code: "CERT_HAS_EXPIRED" },
  { code: "DEPTH_ZERO_SELF_SIGNED_CERT" },
  { code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE" },
  { code: "ERR_TLS_CERT_ALTNAME_INVALID" },
  { message: "invalid peer certificate: UnknownIssuer" },
  { message: "tcp connect error: Connection refused (os error 111)" },
]) {
  test(`a deletion that was never sent (${Object.values(cause)}) has had no effect either`, async (t) => {
    pauses(t);
    const { url } = await serve(t, failure(404, "API_KEY_NOT_FOUND"));
    const client = new Keywright(url, { ...OPTIONS, fetch: failingOnce(cause) });

    await assert.rejects(client.delete(ID), { code: "API_KEY_NOT_FOUND" });
  });
}

for (const code of ["ECONNRESET", "UND_ERR_HEADERS_TIMEOUT", "ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC"]) {
  test(`a deletion that failed with ${code} may have had an effect`, async (t) => {
    pauses(t);
    const { url } = await serve(t, failure(404, "API_KEY_NOT_FOUND"));
    const client = new Keywright(url, { ...OPTIONS, fetch: failingOnce({ code }) });

    assert.equal(await client.delete(ID), undefined);
  });
}

test("a deletion at an address without such a route is an error, also after a lost answer", async (t) => {
  pauses(t);
  const { url } = await serve(t, reset, failure(404, "NOT_FOUND"));

  await assert.rejects(new Keywright(url, OPTIONS).delete(ID), { code: "NOT_FOUND" });
});

test("a repeated deletion that succeeds is a success", async (t) => {
  pauses(t);
  const { url, requests } = await serve(t, reset, DELETED);

  await new Keywright(url, OPTIONS).delete(ID);
  assert.equal(requests.length, 2);
});

test("a function that returns the token is asked before every attempt", async (t) => {
  pauses(t);
  const { url, requests } = await serve(t, failure(503, "SERVICE_UNAVAILABLE"), data(DETAILS));
  let asked = 0;

  await new Keywright(url, { token: async () => `token-${++asked}` }).get(ID);

  assert.deepEqual(
    requests.map(({ headers }) => headers.authorization),
    ["Bearer token-1", "Bearer token-2"],
  );
});
