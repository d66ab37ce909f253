/** The client and a running deployment. KEYWRIGHT_STACK is its stack file, such as .local/stack.json of `make run`. */

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";

import { Keywright, type CreateApiKey, type Verification, type VerifyOptions } from "../../src/index.js";

interface Stack {
  readonly base_url: string;
  readonly tokens: Readonly<Record<"owner" | "admin" | "member", string>>;
  readonly iam: { readonly region: string; readonly access_key_id: string; readonly secret_access_key: string };
  readonly function_arn: string;
  readonly lambda_url: string | null;
}

const file = process.env["KEYWRIGHT_STACK"];
assert.ok(file, "KEYWRIGHT_STACK must be the path of the stack file of a running deployment");
const stack = JSON.parse(readFileSync(file, "utf8")) as Stack;
if (stack.lambda_url) process.env["AWS_ENDPOINT_URL_LAMBDA"] = stack.lambda_url;

const { region, access_key_id, secret_access_key } = stack.iam;
const credentials = { accessKeyId: access_key_id, secretAccessKey: secret_access_key };
const wrong = { ...credentials, secretAccessKey: "wrong" };
const options = { region, credentials, timeoutSeconds: 60 }; // functions of a new deployment start slowly
const admin = new Keywright(stack.base_url, { ...options, token: stack.tokens.admin });
const direct = new Keywright({ function: stack.function_arn }, options);

async function created(fields: Partial<CreateApiKey> = {}): Promise<{ id: string; key: string }> {
  return admin.create({ name: "TypeScript client", permissions: ["sessions:read"], ...fields });
}

async function disabled(): Promise<string> {
  const { id, key } = await created();
  await admin.update(id, { enabled: false });
  return key;
}

async function expired(): Promise<string> {
  const { key } = await created({ expiresAt: new Date(Date.now() + 1000) });
  const deadline = Date.now() + 60_000; // the deployment has a clock of its own
  while ((await admin.verify(key)).valid && Date.now() < deadline) await setTimeout(50);
  return key;
}

async function changeOrganization(action: "request-delete" | "cancel-delete"): Promise<void> {
  const response = await fetch(`${stack.base_url}/auth/orgs/${action}`, {
    method: "POST",
    headers: { authorization: `Bearer ${stack.tokens.owner}` },
  });
  assert.equal(response.status, 200);
}

test("the keys of a batch have the results of single verifications, and use up a quota in order", async () => {
  const { key } = await created();
  const { key: counted } = await created({ quota: { limit: 1, period: "month" } });

  const results = await admin.verifyBatch([
    key,
    counted,
    "kk_nonsense",
    counted,
    "é".repeat(5000),
    { key, permissions: ["webhooks:write"], clientIp: "192.0.2.7" },
  ]);

  assert.deepEqual(
    results.map(({ code }) => code),
    ["VALID", "VALID", "NOT_FOUND", "QUOTA_EXCEEDED", "NOT_FOUND", "INSUFFICIENT_PERMISSIONS"],
  );
});

test("an address of a batch that is none is an error that names its place", async () => {
  await assert.rejects(admin.verifyBatch(["kk_nonsense", { key: "kk_nonsense", clientIp: "nowhere" }]), {
    status: 400,
    message: /verifications\[1\]\.clientIp/,
  });
});

for (const [way, client] of Object.entries({ "over HTTP": admin, directly: direct })) {
  const verify = (text: string, options?: VerifyOptions): Promise<Verification> => client.verify(text, options);

  test(`a new key is valid, ${way}`, async () => {
    const { id, key } = await created({ metadata: { plan: "pro", größe: 7.5, trial: false } });

    const result = await verify(key, { permissions: ["sessions:read"], clientIp: "192.0.2.7" });

    assert.ok(result.valid);
    assert.deepEqual([result.id, result.metadata], [id, { plan: "pro", größe: 7.5, trial: false }]);
  });

  test(`each refusal has its code, ${way}`, async () => {
    const limited = await created({ rateLimit: { limit: 1, windowSeconds: 3600 } });
    const counted = await created({ quota: { limit: 1, period: "month" } });
    const bound = await created({ allowedIps: ["192.0.2.0/24"] });
    await verify(limited.key);
    await verify(counted.key);

    const codes = [
      await verify("unknown"),
      await verify(await expired()),
      await verify(await disabled()),
      await verify(bound.key),
      await verify(bound.key, { permissions: ["webhooks:write"], clientIp: "192.0.2.7" }),
      await verify(limited.key),
      await verify(counted.key),
    ].map(({ code }) => code);

    assert.deepEqual(codes, [
      "NOT_FOUND",
      "EXPIRED",
      "DISABLED",
      "IP_NOT_ALLOWED",
      "INSUFFICIENT_PERMISSIONS",
      "RATE_LIMITED",
      "QUOTA_EXCEEDED",
    ]);
  });

  test(`a key of an organization that is scheduled for deletion is refused, ${way}`, async () => {
    const { key } = await created();
    await changeOrganization("request-delete");
    const { code } = await verify(key).finally(() => changeOrganization("cancel-delete"));

    assert.equal(code, "ORGANIZATION_FROZEN");
  });

  test(`what is left of the limits is answered, ${way}`, async () => {
    const { key } = await created({
      rateLimit: { limit: 10, windowSeconds: 3600 },
      quota: { limit: 10, period: "total" },
    });

    const result = await verify(key, { cost: 3 });

    assert.ok(result.valid);
    assert.deepEqual(
      [result.rateLimit?.remaining, result.quota],
      [7, { limit: 10, used: 3, remaining: 7, resetsAt: null }],
    );
  });

  test(`a key in any characters is not found, ${way}`, async () => {
    assert.deepEqual(await verify('kk_"ä\u{1F511}\n'), { valid: false, code: "NOT_FOUND" });
  });

  test(`a permission that does not exist is an error, ${way}`, async () => {
    await assert.rejects(verify("unknown", { permissions: ["unheard:of"] }), {
      name: "ApiError",
      status: 400,
      code: "BAD_REQUEST",
    });
  });
}

test("wrong credentials are an error, over HTTP", async () => {
  const client = new Keywright(stack.base_url, { ...options, credentials: wrong });

  await assert.rejects(client.verify("unknown"), { name: "ApiError", status: 401, code: "UNAUTHORIZED" });
});

test("wrong credentials are an error, directly", async () => {
  const client = new Keywright({ function: stack.function_arn }, { ...options, credentials: wrong });

  await assert.rejects(client.verify("unknown"), { name: "ApiError", status: 403, code: "UNEXPECTED_ANSWER" });
});

test("a function that does not exist is an error", async () => {
  const client = new Keywright({ function: `${stack.function_arn}-gone` }, options);

  await assert.rejects(client.verify("unknown"), { name: "ApiError", code: "UNEXPECTED_ANSWER" });
});

test("a key is created, read, changed, rotated and deleted", async () => {
  const { id, key } = await created();
  assert.equal((await admin.get(id)).name, "TypeScript client");

  const expiresAt = new Date(Date.now() + 86_400_000);
  const changed = await admin.update(id, { name: "Renamed", expiresAt, rateLimit: { limit: 5, windowSeconds: 60 } });
  assert.deepEqual(
    [changed.name, changed.expiresAt, changed.rateLimit?.burst],
    ["Renamed", expiresAt.toISOString(), 5],
  );
  const cleared = await admin.update(id, { expiresAt: null, rateLimit: null, enabled: false, reason: "other" });
  assert.deepEqual([cleared.expiresAt, cleared.rateLimit, cleared.enabled], [null, null, false]);
  await admin.update(id, { enabled: true });

  const rotated = await admin.rotate(id, { gracePeriodSeconds: 60 });
  assert.deepEqual([(await admin.verify(key)).valid, (await admin.verify(rotated.key)).valid], [true, true]);
  assert.notEqual(rotated.previousKeyExpiresAt, null);

  await admin.delete(id, { reason: "no_longer_used" });
  assert.deepEqual(await admin.verify(rotated.key), { valid: false, code: "NOT_FOUND" });
  await assert.rejects(admin.get(id), { code: "API_KEY_NOT_FOUND", status: 404 });
  await assert.rejects(admin.delete(id), { code: "API_KEY_NOT_FOUND", status: 404 });
});

test("a rotation without options ends the previous text", async () => {
  const { id, key } = await created();

  const rotated = await admin.rotate(id);

  assert.deepEqual([rotated.previousKeyExpiresAt, (await admin.verify(key)).code], [null, "NOT_FOUND"]);
});

test("the same Idempotency-Key creates one key", async () => {
  const idempotencyKey = randomUUID();

  const [first, second] = [await created({ idempotencyKey }), await created({ idempotencyKey })];

  assert.deepEqual({ ...first }, { ...second });
  await assert.rejects(created({ idempotencyKey, name: "Another" }), { code: "IDEMPOTENCY_KEY_REUSED", status: 422 });
});

test("lists have all pages, and keep to their filters", async () => {
  const { id } = await created({ permissions: ["analytics:read"] });
  await created();
  const listed: string[] = [];

  for await (const key of admin.list({ enabled: true, permission: "analytics:read", pageSize: 1 })) listed.push(key.id);

  assert.equal(listed[0], id);
  let count = 0;
  for await (const key of admin.list({ pageSize: 2 })) count += key.id ? 1 : 0;
  assert.ok(count > 2);
});

test("the audit log has the changes of a key", async () => {
  const { id } = await created();
  await admin.delete(id, { reason: "superseded" });
  const found: unknown[] = [];

  for await (const { event, actor, reason } of admin.auditLogs({ targetId: id, actorType: ["user"], pageSize: 1 })) {
    found.push([event, actor.type, reason]);
  }

  assert.deepEqual(found, [
    ["api_key.deleted", "user", "superseded"],
    ["api_key.created", "user", null],
  ]);
});

test("a member cannot create keys", async () => {
  const member = new Keywright(stack.base_url, { ...options, token: stack.tokens.member });

  await assert.rejects(member.create({ name: "CI", permissions: ["sessions:read"] }), {
    status: 403,
    code: "FORBIDDEN",
  });
});

test("a string that is not a token is refused", async () => {
  await assert.rejects(new Keywright(stack.base_url, { ...options, token: "none" }).get(randomUUID()), {
    status: 401,
    code: "UNAUTHORIZED",
  });
});
