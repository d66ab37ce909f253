import assert from "node:assert/strict";
import { test } from "node:test";

import { Keywright } from "../src/index.js";
import { DETAILS, ID, KEY, OPTIONS, RECORD, SUMMARY, TOKEN } from "./support/samples.js";
import { data, failure, serve, type Reply } from "./support/server.js";

const CREATED = { id: ID, key: KEY };
const ROTATED = { id: ID, key: KEY, apiKey: DETAILS, previousKeyExpiresAt: "2026-01-02T00:00:00.000Z" };
const CHANGED = { status: "success", message: "The API key was changed", apiKey: DETAILS };
const DELETED = { status: "success", message: "The API key was deleted" };

function page(items: readonly unknown[], next: string | null): Reply {
  return data(items, { pagination: { limit: 100, has_more: next !== null, next_cursor: next } });
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

test("a created key has its text", async (t) => {
  const { url, requests } = await serve(t, data(CREATED));
  const apiKey = {
    name: "CI",
    permissions: ["sessions:read"],
    metadata: { plan: "pro" },
    rateLimit: { limit: 60, windowSeconds: 60 },
    quota: { limit: 100, period: "month" },
    allowedIps: ["192.0.2.0/24"],
  } as const;

  const created = await new Keywright(url, OPTIONS).create({
    ...apiKey,
    expiresAt: new Date("2099-01-01T00:00:00Z"),
    idempotencyKey: "deployment 7",
  });

  assert.deepEqual({ ...created }, CREATED);
  assert.deepEqual([requests[0]?.method, requests[0]?.path], ["POST", "/v1/auth/api-keys"]);
  assert.deepEqual(JSON.parse(requests[0]?.body ?? ""), { ...apiKey, expiresAt: "2099-01-01T00:00:00.000Z" });
  assert.equal(requests[0]?.headers["idempotency-key"], "deployment 7");
});

test("requests of management have the session token, and no signature", async (t) => {
  const { url, requests } = await serve(t, data(DETAILS));

  await new Keywright(url, OPTIONS).get(ID);

  assert.equal(requests[0]?.headers.authorization, `Bearer ${TOKEN}`);
});

test("management needs neither a region nor AWS credentials", async (t) => {
  const { url } = await serve(t, data(DETAILS));

  assert.deepEqual(await new Keywright(url, { token: TOKEN }).get(ID), DETAILS);
});

test("a change sends null, and omits what is not passed", async (t) => {
  const { url, requests } = await serve(t, data(CHANGED));

  const changed = await new Keywright(url, OPTIONS).update(ID, {
    enabled: true,
    expiresAt: null,
    leak: null,
    quota: null,
  });

  assert.deepEqual(changed, DETAILS);
  assert.deepEqual([requests[0]?.method, requests[0]?.path], ["PATCH", `/v1/auth/api-keys/${ID}`]);
  assert.deepEqual(JSON.parse(requests[0]?.body ?? ""), { enabled: true, expiresAt: null, leak: null, quota: null });
});

test("a rotated key has its new text, and the key as it is now", async (t) => {
  const { url, requests } = await serve(t, data(ROTATED));

  const rotated = await new Keywright(url, OPTIONS).rotate(ID, { gracePeriodSeconds: 3600, reason: "superseded" });

  assert.deepEqual({ ...rotated }, ROTATED);
  assert.deepEqual([requests[0]?.method, requests[0]?.path], ["POST", `/v1/auth/api-keys/${ID}/rotate`]);
  assert.deepEqual(JSON.parse(requests[0]?.body ?? ""), { gracePeriodSeconds: 3600, reason: "superseded" });
});

test("a deletion says its reason, and answers nothing", async (t) => {
  const { url, requests } = await serve(t, data(DELETED));

  assert.equal(await new Keywright(url, OPTIONS).delete(ID, { reason: "compromised" }), undefined);
  assert.deepEqual(
    [requests[0]?.method, requests[0]?.path, String(requests[0]?.query)],
    ["DELETE", `/v1/auth/api-keys/${ID}`, "reason=compromised"],
  );
});

test("a deletion without a reason has no query", async (t) => {
  const { url, requests } = await serve(t, data(DELETED));

  await new Keywright(url, OPTIONS).delete(ID);

  assert.equal(String(requests[0]?.query), "");
});

test("a list has the keys of all pages", async (t) => {
  const keys = Array.from({ length: 250 }, (_, index) => ({ ...SUMMARY, name: `Key ${index}` }));
  const { url, requests } = await serve(
    t,
    page(keys.slice(0, 100), "cursor-1"),
    page(keys.slice(100, 200), "cursor-2"),
    page(keys.slice(200), null),
  );

  assert.deepEqual(await all(new Keywright(url, OPTIONS).list()), keys);
  assert.deepEqual(
    requests.map(({ query }) => String(query)),
    ["limit=100", "limit=100&starting_after=cursor-1", "limit=100&starting_after=cursor-2"],
  );
});

test("a list that is left early requests no further page", async (t) => {
  const { url, requests } = await serve(t, page([SUMMARY, SUMMARY], "cursor-1"));

  for await (const key of new Keywright(url, OPTIONS).list()) {
    assert.deepEqual(key, SUMMARY);
    break;
  }

  assert.equal(requests.length, 1);
});

test("a list that is not read requests nothing", async (t) => {
  const { url, requests } = await serve(t, page([], null));

  new Keywright(url, OPTIONS).list();

  assert.deepEqual(requests, []);
});

test("each loop over a list requests it anew", async (t) => {
  const { url } = await serve(t, page([SUMMARY], null), page([SUMMARY, SUMMARY], null));
  const keys = new Keywright(url, OPTIONS).list();

  assert.deepEqual([(await all(keys)).length, (await all(keys)).length], [1, 2]);
});

test("an empty page in the middle of a list does not end it", async (t) => {
  const { url } = await serve(t, page([], "cursor-1"), page([SUMMARY], null));

  assert.deepEqual(await all(new Keywright(url, OPTIONS).list()), [SUMMARY]);
});

test("the filters of a list are sent", async (t) => {
  const { url, requests } = await serve(t, page([], null));
  const expiresBefore = new Date("2026-02-01T00:00:00Z");

  await all(new Keywright(url, OPTIONS).list({ enabled: false, permission: "a:read", expiresBefore, pageSize: 7 }));

  assert.deepEqual(Object.fromEntries(requests[0]?.query ?? []), {
    limit: "7",
    enabled: "false",
    permission: "a:read",
    expires_before: "2026-02-01T00:00:00.000Z",
  });
});

test("the audit log has its records, with their changes", async (t) => {
  const { url, requests } = await serve(t, page([RECORD], null));

  assert.deepEqual(await all(new Keywright(url, OPTIONS).auditLogs()), [RECORD]);
  assert.equal(requests[0]?.path, "/v1/auth/orgs/audit-logs");
});

test("the filters of the audit log are sent", async (t) => {
  const { url, requests } = await serve(t, page([], null));

  await all(
    new Keywright(url, OPTIONS).auditLogs({
      event: ["api_key.created", "api_key.deleted"],
      actorType: ["user", "system"],
      actorUserId: "user_1",
      actorApiKeyId: ID,
      targetId: ID,
      createdFrom: "2026-01-01T00:00:00Z",
      createdTo: new Date("2026-02-01T00:00:00Z"),
      pageSize: 1,
    }),
  );

  assert.deepEqual(Object.fromEntries(requests[0]?.query ?? []), {
    limit: "1",
    event: "api_key.created,api_key.deleted",
    actor_type: "user,system",
    actor_user_id: "user_1",
    actor_api_key_id: ID,
    target_id: ID,
    created_from: "2026-01-01T00:00:00Z",
    created_to: "2026-02-01T00:00:00.000Z",
  });
});

for (const [name, reply] of Object.entries({
  "without pagination": data([SUMMARY]),
  "with more keys but no cursor": data([SUMMARY], { pagination: { limit: 1, has_more: true, next_cursor: null } }),
  "of something else": data([{ ...SUMMARY, name: 7 }], {
    pagination: { limit: 1, has_more: false, next_cursor: null },
  }),
})) {
  test(`a page ${name} is an error`, async (t) => {
    const { url } = await serve(t, reply);

    await assert.rejects(all(new Keywright(url, OPTIONS).list()), { code: "UNEXPECTED_ANSWER" });
  });
}

test("a list whose page names itself as the next one ends with an error", async (t) => {
  const { url, requests } = await serve(t, page([SUMMARY], "cursor-1"), page([SUMMARY], "cursor-1"));

  await assert.rejects(all(new Keywright(url, OPTIONS).list()), {
    code: "UNEXPECTED_ANSWER",
    message: "The answer is not from Keywright (pagination.next_cursor)",
  });
  assert.equal(requests.length, 2);
});

test("an error in the middle of a list is thrown after the keys before it", async (t) => {
  const { url } = await serve(t, page([SUMMARY], "cursor-1"), failure(401, "UNAUTHORIZED"));
  const found: unknown[] = [];

  await assert.rejects(
    async () => {
      for await (const key of new Keywright(url, OPTIONS).list()) found.push(key);
    },
    { code: "UNAUTHORIZED" },
  );
  assert.deepEqual(found, [SUMMARY]);
});

for (const id of ["", "..", "a/b", "a?b", "%2e%2e", "current", "verify"]) {
  test(`the id ${JSON.stringify(id)} is refused, since it would be another route`, async (t) => {
    const { url, requests } = await serve(t, data(DELETED));

    await assert.rejects(new Keywright(url, OPTIONS).delete(id), RangeError);
    assert.deepEqual(requests, []);
  });
}

for (const [name, call, type] of [
  ["an id that is not a string", (client: Keywright) => client.get(7 as never), TypeError],
  ["a page of 101", async (client: Keywright) => client.list({ pageSize: 101 }), RangeError],
  ["a page of 0", async (client: Keywright) => client.auditLogs({ pageSize: 0 }), RangeError],
  ["an event that is not a list", async (client: Keywright) => client.auditLogs({ event: "a" as never }), TypeError],
  ["an invalid Date", (client: Keywright) => client.update(ID, { expiresAt: new Date("soon") }), RangeError],
  ["a time that is a number", (client: Keywright) => client.update(ID, { expiresAt: 7 as never }), TypeError],
  ["an empty Idempotency-Key", (client: Keywright) => client.rotate(ID, { idempotencyKey: "" }), RangeError],
  ["an Idempotency-Key in two lines", (client: Keywright) => client.rotate(ID, { idempotencyKey: "a\nb" }), RangeError],
] as const) {
  test(`${name} is refused before a request is sent`, async (t) => {
    const { url, requests } = await serve(t, data(CREATED));

    await assert.rejects(call(new Keywright(url, OPTIONS)), type);
    assert.deepEqual(requests, []);
  });
}
