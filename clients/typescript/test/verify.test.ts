import assert from "node:assert/strict";
import { test } from "node:test";

import { ApiError, Keywright } from "../src/index.js";
import { KEY, OPTIONS, VALID } from "./support/samples.js";
import { data, serve } from "./support/server.js";

test("a key that works is valid, with its details", async (t) => {
  const { url } = await serve(t, data(VALID));

  assert.deepEqual(await new Keywright(url, OPTIONS).verify(KEY), VALID);
});

test("a verification sends the key alone if nothing else is passed", async (t) => {
  const { url, requests } = await serve(t, data(VALID));

  await new Keywright(url, OPTIONS).verify(KEY);

  assert.deepEqual(
    [requests[0]?.method, requests[0]?.path, JSON.parse(requests[0]?.body ?? "")],
    ["POST", "/v1/auth/api-keys/verify", { key: KEY }],
  );
});

test("a verification sends permissions, address and cost", async (t) => {
  const { url, requests } = await serve(t, data(VALID));
  const options = { permissions: ["sessions:read"], clientIp: "192.0.2.7", cost: 0 };

  await new Keywright(url, OPTIONS).verify(KEY, options);

  assert.deepEqual(JSON.parse(requests[0]?.body ?? ""), { key: KEY, ...options });
});

test("an address that is not known is omitted", async (t) => {
  const { url, requests } = await serve(t, data(VALID));

  await new Keywright(url, OPTIONS).verify(KEY, { clientIp: null });

  assert.deepEqual(JSON.parse(requests[0]?.body ?? ""), { key: KEY });
});

test("the request is signed for API Gateway in the region, with the temporary credentials", async (t) => {
  const { url, requests } = await serve(t, data(VALID));
  const credentials = { ...OPTIONS.credentials, sessionToken: "temporary" };

  await new Keywright(url, { region: "eu-west-1", credentials }).verify(KEY);

  const { authorization, ...headers } = requests[0]?.headers ?? {};
  const [scope, names, signature] = authorization?.split(", ") ?? [];
  assert.match(scope ?? "", /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d{8}\/eu-west-1\/execute-api\/aws4_request$/);
  assert.equal(names, "SignedHeaders=host;x-amz-date;x-amz-security-token");
  assert.match(signature ?? "", /^Signature=[0-9a-f]{64}$/);
  assert.equal(headers["x-amz-security-token"], "temporary");
  assert.equal(headers["content-type"], "application/json");
});

for (const code of [
  "EXPIRED",
  "DISABLED",
  "ORGANIZATION_FROZEN",
  "IP_NOT_ALLOWED",
  "INSUFFICIENT_PERMISSIONS",
  "RATE_LIMITED",
  "QUOTA_EXCEEDED",
]) {
  test(`a key that is refused as ${code} is a result with the details of the key`, async (t) => {
    const refused = { ...VALID, valid: false, code };
    const { url } = await serve(t, data(refused));

    assert.deepEqual(await new Keywright(url, OPTIONS).verify(KEY), refused);
  });
}

test("an unknown key is a result without details", async (t) => {
  const { url } = await serve(t, data({ valid: false, code: "NOT_FOUND" }));

  assert.deepEqual(await new Keywright(url, OPTIONS).verify(KEY), { valid: false, code: "NOT_FOUND" });
});

for (const options of [{}, { reuseSeconds: 10 }]) {
  const how = JSON.stringify(options);
  test(`a string of more than 4,096 characters is not a key, and Keywright is not asked (${how})`, async (t) => {
    const { url, requests } = await serve(t, data(VALID));
    const client = new Keywright(url, { ...OPTIONS, ...options });

    assert.deepEqual(await client.verify("x".repeat(4097)), { valid: false, code: "NOT_FOUND" });
    assert.deepEqual(requests, []);
    await client.verify("x".repeat(4096));
    assert.equal(requests.length, 1);
  });
}

test("the options of a string that is too long are checked, too", async (t) => {
  const { url } = await serve(t, data(VALID));

  await assert.rejects(new Keywright(url, OPTIONS).verify("x".repeat(4097), { cost: -1 }), RangeError);
});

test("a refusal of a newer server refuses the key, and says its code", async (t) => {
  const { url } = await serve(t, data({ ...VALID, valid: false, code: "SUSPENDED" }));

  assert.deepEqual(await new Keywright(url, OPTIONS).verify(KEY), {
    valid: false,
    code: "UNKNOWN",
    unknownCode: "SUSPENDED",
  });
});

test("fields of a newer server are left out", async (t) => {
  const { url } = await serve(t, data({ ...VALID, region: "eu", leak: null }, { trace: "1" }));

  assert.deepEqual(await new Keywright(url, OPTIONS).verify(KEY), VALID);
});

test("a result cannot be changed, because it may be answered again", async (t) => {
  const { url } = await serve(t, data(VALID));
  const result = await new Keywright(url, OPTIONS).verify(KEY);

  for (const part of [result, "permissions" in result && result.permissions, "metadata" in result && result.metadata]) {
    assert.ok(Object.isFrozen(part));
  }
});

test("a field of metadata called __proto__ is a field like others", async (t) => {
  const body = JSON.stringify({ data: VALID, error: null }).replace('"plan"', '"__proto__"');
  const { url } = await serve(t, { body });

  const result = await new Keywright(url, OPTIONS).verify(KEY);

  assert.ok(result.valid);
  assert.deepEqual(Object.keys(result.metadata), ["__proto__", "seats", "trial"]);
});

for (const [name, body] of Object.entries({
  "valid with another code": { data: { ...VALID, code: "EXPIRED" }, error: null },
  "valid with a code that is not known": { data: { ...VALID, code: "ADMITTED" }, error: null },
  "valid and not found": { data: { valid: true, code: "NOT_FOUND" }, error: null },
  "not valid with the code VALID": { data: { ...VALID, valid: false }, error: null },
  "valid in words": { data: { ...VALID, valid: "true" }, error: null },
  "without a code": { data: { ...VALID, code: undefined }, error: null },
  "with an empty code": { data: { ...VALID, valid: false, code: "" }, error: null },
  "valid without details": { data: { valid: true, code: "VALID" }, error: null },
  "a result and an error": { data: VALID, error: { code: "FORBIDDEN", message: "No" } },
  "a result without an envelope": VALID,
  "a list": [VALID],
  nothing: null,
  "a page for people": "<html>Welcome</html>",
  "an unreadable time": { data: { ...VALID, expiresAt: "soon" }, error: null },
  "a fraction of a use": { data: { ...VALID, rateLimit: { limit: 1.5, remaining: 1, resetSeconds: 1 } }, error: null },
})) {
  test(`an answer that is ${name} admits no key`, async (t) => {
    const { url } = await serve(t, { body });

    await assert.rejects(
      new Keywright(url, OPTIONS).verify(KEY),
      (error) => error instanceof ApiError && error.code === "UNEXPECTED_ANSWER" && error.status === 200,
    );
  });
}

for (const [name, call, type] of [
  ["a key that is not a string", (client: Keywright) => client.verify(undefined as never), TypeError],
  [
    "one permission instead of a list",
    (client: Keywright) => client.verify(KEY, { permissions: "a:b" as never }),
    TypeError,
  ],
  ["an address that is not a string", (client: Keywright) => client.verify(KEY, { clientIp: 7 as never }), TypeError],
  ["a cost in words", (client: Keywright) => client.verify(KEY, { cost: "1" as never }), TypeError],
  ["a negative cost", (client: Keywright) => client.verify(KEY, { cost: -1 }), RangeError],
  ["a fraction of a cost", (client: Keywright) => client.verify(KEY, { cost: 0.5 }), RangeError],
  ["too great a cost", (client: Keywright) => client.verify(KEY, { cost: 1_000_001 }), RangeError],
  ["a cost that is not a number", (client: Keywright) => client.verify(KEY, { cost: Number.NaN }), RangeError],
] as const) {
  test(`${name} is refused before a request is sent`, async (t) => {
    const { url, requests } = await serve(t, data(VALID));

    await assert.rejects(call(new Keywright(url, OPTIONS)), type);
    assert.deepEqual(requests, []);
  });
}
