// Creates and changes a key with a client whose types were generated, and reads a refusal; prints the key's id.

import { strict as assert } from "node:assert";
import { randomUUID } from "node:crypto";
import createClient from "openapi-fetch";
import type { components, paths } from "./api.d.ts";

const { BASE_URL, ADMIN_TOKEN, MEMBER_TOKEN } = process.env;
const as = (token: string | undefined) =>
  createClient<paths>({ baseUrl: BASE_URL ?? "", headers: { authorization: `Bearer ${token}` } });

const permissions: components["schemas"]["Permission"][] = ["sessions:read"];
const body = { name: "TypeScript client", permissions, metadata: { plan: "pro", seats: 2, trial: false } };

const created = await as(ADMIN_TOKEN).POST("/v1/auth/api-keys", {
  body,
  params: { header: { "Idempotency-Key": randomUUID() } },
});
assert.ok(created.data, JSON.stringify(created.error));
const { id, key } = created.data.data;
assert.match(key, /^kk_[0-9A-Za-z]{92}$/);

const shown = await as(ADMIN_TOKEN).GET("/v1/auth/api-keys/{id}", { params: { path: { id } } });
assert.deepEqual(shown.data?.data.metadata, body.metadata);

const changed = await as(ADMIN_TOKEN).PATCH("/v1/auth/api-keys/{id}", {
  body: { enabled: false },
  params: { path: { id } },
});
assert.equal(changed.data?.data.apiKey.enabled, false);

const refused = await as(MEMBER_TOKEN).POST("/v1/auth/api-keys", { body });
assert.equal(refused.response.status, 403);
assert.equal(refused.error?.error?.code, "FORBIDDEN");

console.log(id);
