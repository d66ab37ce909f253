import assert from "node:assert/strict";
import { test } from "node:test";

import { ApiConnectionError, ApiError, ConfigurationError, Keywright, type BatchResult } from "../src/index.js";
import { ARN, CREDENTIALS, KEY, OPTIONS, VALID } from "./support/samples.js";
import { data, failure, reset, serve, type Reply } from "./support/server.js";
import { clocks, pauses } from "./support/time.js";

const UNKNOWN = { valid: false, code: "NOT_FOUND" } as const;
const UNDECIDED = { valid: false, code: "SERVICE_UNAVAILABLE" } as const;

/** Reply with the results of a batch. */
function batch(...results: readonly unknown[]): Reply {
  return data({ results });
}

/** Return the body of a request. */
function bodyOf(request: { readonly body: string } | undefined): unknown {
  return JSON.parse(request?.body ?? "");
}

test("a batch is one signed request, with each key in order as it is sent alone", async (t) => {
  const { url, requests } = await serve(t, batch(UNKNOWN, UNKNOWN, UNKNOWN));
  const use = { key: KEY, permissions: ["sessions:read"], clientIp: "192.0.2.7", cost: 0 };

  await new Keywright(url, OPTIONS).verifyBatch([KEY, use, { key: KEY, clientIp: null }]);

  assert.equal(requests.length, 1);
  assert.deepEqual(
    [requests[0]?.method, requests[0]?.path, bodyOf(requests[0])],
    ["POST", "/v1/auth/api-keys/verify-batch", { verifications: [{ key: KEY }, use, { key: KEY }] }],
  );
  assert.match(requests[0]?.headers.authorization ?? "", /\/us-east-1\/execute-api\/aws4_request/);
});

test("each key has its result, in the order of the keys", async (t) => {
  const limited = { ...VALID, valid: false, code: "RATE_LIMITED", retryAfterSeconds: 7 };
  const last = { ...VALID, name: "Last" };
  const { url } = await serve(t, batch(VALID, UNKNOWN, limited, UNDECIDED, { valid: false, code: "SUSPENDED" }, last));

  assert.deepEqual(await new Keywright(url, OPTIONS).verifyBatch(Array<string>(6).fill(KEY)), [
    VALID,
    UNKNOWN,
    limited,
    UNDECIDED,
    { valid: false, code: "UNKNOWN", unknownCode: "SUSPENDED" },
    last,
  ]);
});

test("a hundred keys are one request", async (t) => {
  const { url, requests } = await serve(t, batch(...Array<unknown>(100).fill(UNKNOWN)));

  assert.equal((await new Keywright(url, OPTIONS).verifyBatch(Array<string>(100).fill(KEY))).length, 100);
  assert.equal(requests.length, 1);
});

test("results cannot be changed", async (t) => {
  const { url } = await serve(t, batch(VALID, UNDECIDED));

  const results = await new Keywright(url, OPTIONS).verifyBatch([KEY, KEY]);

  for (const part of [results, ...results]) assert.ok(Object.isFrozen(part));
});

test("no keys have no results, and Keywright is not asked", async (t) => {
  const { url, requests } = await serve(t, batch());

  assert.deepEqual(await new Keywright(url, OPTIONS).verifyBatch([]), []);
  assert.deepEqual(requests, []);
});

for (const [name, text] of Object.entries({
  "longer than any key": "k".repeat(513),
  "far longer than any key": "k".repeat(100_000),
  "not in ASCII": "kk_é",
  "with a line break": "kk_\n",
})) {
  test(`a string that is ${name} is not sent: an empty one takes its place`, async (t) => {
    const { url, requests } = await serve(t, batch(UNKNOWN, VALID, UNKNOWN));

    const results = await new Keywright(url, OPTIONS).verifyBatch([text, KEY, { key: text, cost: 2 }]);

    assert.deepEqual(results, [UNKNOWN, VALID, UNKNOWN]);
    assert.deepEqual(bodyOf(requests[0]), { verifications: [{ key: "" }, { key: KEY }, { key: "", cost: 2 }] });
  });
}

test("what is larger than 64 KiB is sent in parts, whose results are in the order of all", async (t) => {
  // Each of these characters takes two bytes in JSON.
  const keys = Array.from({ length: 99 }, (_, number) => `${number}${'"'.repeat(500)}`);
  const names = Array.from({ length: 49 }, (_, number) => ({ ...VALID, name: String(number) }));
  const { url, requests } = await serve(t, batch(...names), batch(...Array<unknown>(50).fill(UNKNOWN)));

  const results = await new Keywright(url, OPTIONS).verifyBatch(keys);

  assert.deepEqual(results, [...names, ...Array<unknown>(50).fill(UNKNOWN)]);
  const sent = requests.flatMap((request) => (bodyOf(request) as { verifications: { key: string }[] }).verifications);
  assert.deepEqual(
    sent.map(({ key }) => key),
    keys,
  );
  assert.ok(Object.isFrozen(results));
});

for (const excess of [0, 1]) {
  test(`a batch of 64 KiB and ${excess} bytes is ${excess + 1} requests`, async (t) => {
    const { url, requests } = await serve(t, batch(...Array<unknown>(2 - excess).fill(UNKNOWN)));
    const rest = '{"verifications":[{"key":"k","permissions":["é"]},{"key":"k"}]}'.length + 1;

    await new Keywright(url, OPTIONS).verifyBatch([
      { key: "k", permissions: [`é${"x".repeat(65_536 - rest + excess)}`] },
      "k",
    ]);

    assert.equal(requests.length, excess + 1);
  });
}

test("a use that is too large by itself is refused by Keywright", async (t) => {
  const { url, requests } = await serve(t, failure(413, "PAYLOAD_TOO_LARGE"));
  const use = { key: KEY, permissions: ["x".repeat(65_536)] };

  await assert.rejects(new Keywright(url, OPTIONS).verifyBatch([use]), { code: "PAYLOAD_TOO_LARGE" });
  assert.equal(requests.length, 1);
});

test("a string that is as long as the longest key is asked for", async (t) => {
  const { url, requests } = await serve(t, batch(UNKNOWN));

  await new Keywright(url, OPTIONS).verifyBatch(["~".repeat(512)]);

  assert.deepEqual(bodyOf(requests[0]), { verifications: [{ key: "~".repeat(512) }] });
});

test("a use can be an object of a class, with getters", async (t) => {
  class Request {
    readonly key = KEY;
    get permissions(): string[] {
      return ["sessions:read"];
    }
  }
  const { url, requests } = await serve(t, batch(UNKNOWN));

  await new Keywright(url, OPTIONS).verifyBatch([new Request()]);

  assert.deepEqual(bodyOf(requests[0]), { verifications: [{ key: KEY, permissions: ["sessions:read"] }] });
});

for (const [name, value] of Object.entries<unknown>({
  "with fewer results than keys": { results: [VALID] },
  "with more results than keys": { results: [VALID, VALID, VALID] },
  "without results": { results: [] },
  "with an object in place of the list": { results: { 0: VALID, 1: VALID } },
  "without the field": {},
  "a list without an object": [VALID, VALID],
  "the result of one key": VALID,
  "with null for a key": { results: [VALID, null] },
  "with a refusal called VALID": { results: [VALID, { ...VALID, valid: false }] },
  "with an admission called EXPIRED": { results: [VALID, { ...VALID, code: "EXPIRED" }] },
  "with an undecided key that is valid": { results: [VALID, { ...VALID, code: "SERVICE_UNAVAILABLE" }] },
  "with an admission without details": { results: [VALID, { valid: true, code: "VALID" }] },
})) {
  test(`an answer ${name} admits no key of the batch`, async (t) => {
    const { url } = await serve(t, data(value));

    await assert.rejects(
      new Keywright(url, OPTIONS).verifyBatch([KEY, KEY]),
      (error) => error instanceof ApiError && error.code === "UNEXPECTED_ANSWER" && error.status === 200,
    );
  });
}

for (const [name, uses, type] of [
  ["a string instead of a list", KEY, TypeError],
  ["nothing", undefined, TypeError],
  ["null among the keys", [null], TypeError],
  ["a number among the keys", [7], TypeError],
  ["a use without a key", [{ permissions: ["a:b"] }], TypeError],
  ["one permission instead of a list", [KEY, { key: KEY, permissions: "a:b" }], TypeError],
  ["an address that is not a string", [{ key: KEY, clientIp: 7 }], TypeError],
  ["a negative cost", [{ key: KEY, cost: -1 }], RangeError],
  ["a gap in the list", new Array(1), TypeError],
] as const) {
  test(`${name} is refused before a batch is sent`, async (t) => {
    const { url, requests } = await serve(t, batch(VALID));

    await assert.rejects(new Keywright(url, OPTIONS).verifyBatch(uses as never), type);
    assert.deepEqual(requests, []);
  });
}

test("more than 100 keys are refused with the limit, before a batch is sent", async (t) => {
  const { url, requests } = await serve(t, batch(VALID));

  await assert.rejects(new Keywright(url, OPTIONS).verifyBatch(Array<string>(101).fill(KEY)), {
    name: "RangeError",
    message: "uses must have at most 100 items, not 101",
  });
  assert.deepEqual(requests, []);
});

test("a client of the function cannot verify batches, and the error says what to pass", async () => {
  const client = new Keywright({ function: ARN, credentials: CREDENTIALS });

  await assert.rejects(
    client.verifyBatch([KEY]),
    (error) => error instanceof ConfigurationError && /the address of the API, instead of function/.test(error.message),
  );
});

test("a batch is tried again as a verification is, with the same keys", async (t) => {
  const taken = pauses(t);
  const { url, requests } = await serve(t, reset, failure(503, "SERVICE_UNAVAILABLE"), batch(UNKNOWN));

  assert.deepEqual(await new Keywright(url, OPTIONS).verifyBatch([KEY]), [UNKNOWN]);
  assert.deepEqual(requests.map(bodyOf), Array(3).fill({ verifications: [{ key: KEY }] }));
  assert.equal(taken.length, 2);
});

test("a batch without any answer is an error", async (t) => {
  pauses(t);
  const { url } = await serve(t, reset);

  await assert.rejects(new Keywright(url, OPTIONS).verifyBatch([KEY]), ApiConnectionError);
});

test("a batch with undecided keys is not tried again, because the others were counted", async (t) => {
  const { url, requests } = await serve(t, batch(VALID, UNDECIDED));

  assert.deepEqual(await new Keywright(url, OPTIONS).verifyBatch([KEY, KEY]), [VALID, UNDECIDED]);
  assert.equal(requests.length, 1);
});

test("a batch that is refused by another clock is signed again by that clock", async (t) => {
  clocks(t);
  const date = { date: "Thu, 01 Jan 2026 01:00:00 GMT" };
  const { url, requests } = await serve(t, { status: 403, headers: date }, batch(UNKNOWN));

  assert.deepEqual(await new Keywright(url, OPTIONS).verifyBatch([KEY]), [UNKNOWN]);
  assert.equal(requests[1]?.headers["x-amz-date"], "20260101T010000Z");
});

test("credentials that may not verify batches are told which permission they lack", async (t) => {
  const { url } = await serve(t, { status: 403 });

  await assert.rejects(new Keywright(url, OPTIONS).verifyBatch([KEY]), {
    hint: "Allow execute-api:Invoke on the stack's output VerifyApiKeysArn, and check the AWS credentials and region.",
  });
});

test("a batch does not reuse the answer to a verification", async (t) => {
  const { url } = await serve(t, data(VALID), batch(UNKNOWN));
  const client = new Keywright(url, { ...OPTIONS, reuseSeconds: 10 });

  await client.verify(KEY);

  assert.deepEqual(await client.verifyBatch([KEY]), [UNKNOWN]);
});

test("the answers to a batch are not reused", async (t) => {
  const { url } = await serve(t, batch(VALID), data(UNKNOWN));
  const client = new Keywright(url, { ...OPTIONS, reuseSeconds: 10 });

  await client.verifyBatch([KEY]);

  assert.deepEqual(await client.verify(KEY), UNKNOWN);
});

test("a code tells undecided keys from refused ones", () => {
  const status = (result: BatchResult): number =>
    result.valid ? 200 : result.code === "SERVICE_UNAVAILABLE" ? 503 : 401;

  assert.deepEqual([UNDECIDED, UNKNOWN].map(status), [503, 401]);
});
