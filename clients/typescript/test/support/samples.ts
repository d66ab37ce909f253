/** Values that tests send and receive. */

/** The text of a key. In two parts, so that scanners for secrets stay quiet. */
export const KEY =
  "kk_" + "EXAMPLE0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLM";

/** A session token. */
export const TOKEN = "session-token-of-an-admin";

/** Credentials of AWS. */
export const CREDENTIALS = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI+" + "K7MDENG" };

/** Options of a client that works with servers of this machine. */
export const OPTIONS = { region: "us-east-1", credentials: CREDENTIALS, token: TOKEN } as const;

/** The id of a key. */
export const ID = "019b7e3c-9585-719d-81cb-3b8af1c594c2";

/** The ARN of a function. */
export const ARN = "arn:aws:lambda:eu-west-1:123456789012:function:keywright-VerifyApiKey-1A2B";

/** The result of verifying a key that works and has no limits. */
export const VALID = {
  valid: true,
  code: "VALID",
  id: ID,
  organizationId: "5f0c2c0e-9a3d-4b6e-8f57-0d6f2b8a1c01",
  name: "Nightly import",
  permissions: ["sessions:read"],
  missingPermissions: [],
  metadata: { plan: "pro", seats: 5, trial: false },
  expiresAt: null,
  allowedIps: null,
  rateLimit: null,
  quota: null,
  retryAfterSeconds: null,
  leak: null,
} as const;

/** A key in a list. */
export const SUMMARY = {
  id: ID,
  name: "Nightly import",
  enabled: true,
  permissions: ["sessions:read"],
  metadata: {},
  createdAt: "2026-01-01T00:00:00.000Z",
  updatedAt: "2026-01-01T00:00:00.000Z",
  expiresAt: null,
  lastUsedAt: null,
  lastUsedIp: null,
  requestCount: 0,
  hint: "kk_EXAM...JKLM",
  rateLimit: null,
  quota: null,
  allowedIps: null,
  leak: null,
} as const;

/** A key with all its details. */
export const DETAILS = {
  ...SUMMARY,
  createdBy: "user_1",
  previousKeyExpiresAt: null,
  previousKeyLastUsedAt: null,
} as const;

/** A record of the audit log. */
export const RECORD = {
  id: "019b7e3c-9585-719d-81cb-3b8af1c594c3",
  event: "api_key.created",
  actor: { type: "user", id: "user_1", name: null },
  targetId: ID,
  targetType: "api_key",
  changes: { before: {}, after: { name: "Nightly import" } },
  sourceIp: "192.0.2.7",
  requestId: "request-1",
  createdAt: "2026-01-01T00:00:00.000Z",
  receivedAt: "2026-01-01T00:00:00.000Z",
  reason: null,
} as const;
