import assert from "node:assert/strict";
import { test } from "node:test";
import { addressOf, admitting, limitHeaders, refusalOf } from "../src/refusals.js";

import { Answering, VALID } from "./middleware.js";

const NOW = Date.parse("2030-01-31T00:00:00.000Z");

test("a key without limits has no header fields", () => {
  assert.deepEqual(limitHeaders({ rateLimit: null, quota: null }), {});
});

test("both limits are in one field, each with what is left and the seconds until it is whole again", () => {
  const headers = limitHeaders(
    {
      rateLimit: { limit: 60, remaining: 8, resetSeconds: 2 },
      quota: { limit: 100000, used: 2, remaining: 99998, resetsAt: "2030-02-01T00:00:00.000Z" },
    },
    NOW,
  );

  assert.deepEqual(headers, {
    "ratelimit-policy": '"rate";q=60, "quota";q=100000',
    ratelimit: '"rate";r=8;t=2, "quota";r=99998;t=86400',
  });
});

test("numbers below zero are shown as zero: header fields have none", () => {
  const rateLimit = { limit: -1, remaining: -1, resetSeconds: -2 };
  const quota = { limit: -1, used: 6, remaining: -1, resetsAt: "2030-01-30T00:00:00.000Z" };

  assert.deepEqual(limitHeaders({ rateLimit, quota }, NOW), {
    "ratelimit-policy": '"rate";q=0, "quota";q=0',
    ratelimit: '"rate";r=0;t=0, "quota";r=0;t=0',
  });
});

test("a pause below zero is shown as none", () => {
  const rateLimit = { limit: 60, remaining: 0, resetSeconds: 60 };
  const { headers } = refusalOf({ ...VALID, valid: false, code: "RATE_LIMITED", rateLimit, retryAfterSeconds: -1 }, []);

  assert.deepEqual([headers["retry-after"], headers["ratelimit"]], ["0", '"rate";r=0;t=0']);
});

test("a limit whose state is not known is a policy only", () => {
  const headers = limitHeaders({
    rateLimit: { limit: 60, remaining: null, resetSeconds: null },
    quota: { limit: 5, used: 1, remaining: 4, resetsAt: null },
  });

  assert.deepEqual(headers, { "ratelimit-policy": '"rate";q=60, "quota";q=5', ratelimit: '"quota";r=4' });
});

test("a rate limit alone whose state is not known leaves the other field out", () => {
  const headers = limitHeaders({ rateLimit: { limit: 60, remaining: null, resetSeconds: null }, quota: null });

  assert.deepEqual(headers, { "ratelimit-policy": '"rate";q=60' });
});

for (const [now, seconds] of [
  [NOW - 1, 1],
  [NOW - 1000, 1],
  [NOW - 1001, 2],
  [NOW, 0],
  [NOW + 5000, 0],
] as const) {
  test(`${now - NOW} ms before the next period, ${seconds} whole seconds remain, never less than none`, () => {
    const quota = { limit: 5, used: 1, remaining: 4, resetsAt: new Date(NOW).toISOString() };

    assert.equal(limitHeaders({ rateLimit: null, quota }, now)["ratelimit"], `"quota";r=4;t=${seconds}`);
  });
}

for (const [text, address] of [
  ["192.0.2.7", "192.0.2.7"],
  ["2001:db8::1", "2001:db8::1"],
  ["::ffff:192.0.2.7", "::ffff:192.0.2.7"],
  ["fe80::1%eth0", "fe80::1"],
  ["", undefined],
  ["/run/app.sock", undefined],
  ["testclient", undefined],
  ["192.0.2.7:4000", undefined],
  ["192.0.2", undefined],
  ["192.0.2.007", undefined],
  ["192.0.2.700", undefined],
  ["2001:db8:::1", undefined],
  ["::1]:80/[", undefined],
  [undefined, undefined],
] as const) {
  test(`the address in ${JSON.stringify(text)} is ${address ?? "not known"}`, () => {
    assert.equal(addressOf(text), address);
  });
}

for (const options of [{ permissions: "analytics:read" as never }, { cost: -1 }, { cost: 1.5 }, { cost: 1_000_001 }]) {
  test(`${JSON.stringify(options)} is refused when the application starts`, () => {
    assert.throws(() => admitting(new Answering(VALID), options), /^(Type|Range)Error: (permissions|cost) must be /);
  });
}

test("the permissions that a route requires stay as they were when the application started", async () => {
  const keywright = new Answering({ ...VALID, valid: false, code: "INSUFFICIENT_PERMISSIONS" });
  const permissions = ["analytics:read"];
  const admit = admitting(keywright, { permissions });
  permissions.length = 0;

  const outcome = await admit({ xApiKey: "kk_text", authorization: undefined, clientIp: undefined });

  assert.deepEqual(keywright.asked[0]?.options?.permissions, ["analytics:read"]);
  assert.match(JSON.stringify(outcome), /scope=.{2}analytics:read/);
});
