/** The types of this package are those of the description of the API; the compiler compares them. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Keywright, type Verifier } from "../src/index.js";
import type * as ours from "../src/types.js";
import type { components } from "./api.d.ts";

type Schemas = components["schemas"];

/** true if both types are one and the same, otherwise false. */
type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** The type, written out: intersections and inherited fields become fields, and optional fields lose undefined. */
type Plain<T> = T extends (...values: never) => unknown
  ? T
  : T extends object
    ? { [Name in keyof T]: Plain<Exclude<T[Name], Optional<T, Name>>> }
    : T;

type Optional<T, Name extends keyof T> = object extends Pick<T, Name> ? undefined : never;

/** The type with text instead of the permissions of one deployment, and with Dates as they can be passed. */
type Sent<T> = {
  [Name in keyof T]: Name extends "permissions"
    ? readonly string[]
    : Name extends "expiresAt"
      ? T[Name] | Date
      : T[Name];
};

type Same<A, B> = Equal<Plain<A>, Plain<B>>;

type Detailed = Exclude<ours.Verification, ours.NotFound | ours.UnknownRefusal>;

/** The kinds of results of a batch. The description has one for all keys that exist. */
type BatchKinds = ours.NotFound | ours.Undecided | Schemas["VerifiedApiKey"];

// Each `true` fails to compile if the types differ in either direction.
const COMPARED = {
  ApiKeyDetails: true satisfies Same<ours.ApiKeyDetails, Schemas["ApiKeyDetails"]>,
  ApiKeySummary: true satisfies Same<ours.ApiKeySummary, Schemas["ApiKeySummary"]>,
  AuditLog: true satisfies Same<Omit<ours.AuditLog, "changes">, Omit<Schemas["AuditLog"], "changes">>,
  AuditLogActor: true satisfies Same<ours.AuditLogActor, Schemas["AuditLogActor"]>,
  BatchResult: true satisfies Same<BatchKinds, Schemas["VerifiedApiKeys"]["results"][number]>,
  CreateApiKey: true satisfies Same<Omit<ours.CreateApiKey, "idempotencyKey">, Sent<Schemas["CreateApiKey"]>>,
  CreatedApiKey: true satisfies Same<ours.CreatedApiKey, Schemas["CreatedApiKey"]>,
  Leak: true satisfies Same<ours.Leak, Schemas["Leak"]>,
  NotFound: true satisfies Same<ours.NotFound, Schemas["UnknownApiKey"]>,
  Quota: true satisfies Same<ours.Quota, Schemas["Quota"]>,
  QuotaStatus: true satisfies Same<ours.QuotaStatus, Schemas["QuotaStatus"]>,
  RateLimit: true satisfies Same<ours.RateLimit, Schemas["RateLimit"]>,
  RateLimitInput: true satisfies Same<ours.RateLimitInput, Schemas["RateLimitInput"]>,
  RateLimitStatus: true satisfies Same<ours.RateLimitStatus, Schemas["RateLimitStatus"]>,
  RotateOptions: true satisfies Same<Omit<ours.RotateOptions, "idempotencyKey">, Schemas["RotateApiKey"]>,
  RotatedApiKey: true satisfies Same<ours.RotatedApiKey, Omit<Schemas["RotatedApiKey"], "status" | "message">>,
  Undecided: true satisfies Same<ours.Undecided, Schemas["UndecidedApiKey"]>,
  UpdateApiKey: true satisfies Same<ours.UpdateApiKey, Sent<Schemas["UpdateApiKey"]>>,
  Use: true satisfies Same<ours.Use, Sent<Schemas["VerifyApiKeys"]["verifications"][number]>>,
  VerificationCodes: true satisfies Same<Detailed["code"], Schemas["VerifiedApiKey"]["code"]>,
  VerifiedDetails: true satisfies Same<ours.VerifiedDetails, Omit<Schemas["VerifiedApiKey"], "valid" | "code">>,
  VerifyOptions: true satisfies Same<ours.VerifyOptions, Omit<Sent<Schemas["VerifyApiKey"]>, "key">>,
} as const;

test("the types are those of the description of the API", () => {
  assert.ok(Object.values(COMPARED).every((same) => same));
});

test("a code narrows a verification to its details", () => {
  const retryAfter = (verification: ours.Verification): number | null =>
    verification.code === "RATE_LIMITED" ? verification.retryAfterSeconds : null;
  const organization = (verification: ours.Verification): string | null =>
    verification.valid ? verification.organizationId : null;

  assert.deepEqual(
    [retryAfter({ valid: false, code: "NOT_FOUND" }), organization({ valid: false, code: "NOT_FOUND" })],
    [null, null],
  );
});

test("a stub can stand for a client in middleware", async () => {
  const stub: Verifier = { verify: async () => ({ valid: false, code: "NOT_FOUND" }) };
  const client: Verifier = new Keywright("https://api.example.com/v1");

  assert.deepEqual([typeof client.verify, await stub.verify("any")], ["function", { valid: false, code: "NOT_FOUND" }]);
});
