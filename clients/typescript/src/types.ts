/** Values that the client takes and returns, with the names of the API. Times are ISO 8601 strings in UTC. */

/** Metadata of a key. Integers above 2^53 lose precision, as in every use of `JSON.parse`. */
export type Metadata = { readonly [name: string]: string | number | boolean };

/** Why a key is disabled, rotated or deleted, for the audit log. */
export type Reason = "compromised" | "superseded" | "no_longer_used" | "other";

/** A limit of the rate of uses: on average `limit` uses in `windowSeconds`, and at most `burst` at once. */
export interface RateLimit {
  readonly limit: number;
  readonly windowSeconds: number;
  readonly burst: number;
}

/** A rate limit to set. `burst` is `limit` by default. */
export interface RateLimitInput {
  readonly limit: number;
  readonly windowSeconds: number;
  readonly burst?: number | undefined;
}

/** A limit of the number of uses in each period of the calendar, in UTC. */
export interface Quota {
  readonly limit: number;
  readonly period: "day" | "week" | "month" | "total";
}

/** What is left of a rate limit. null: the limiter could not be asked, and the use was admitted. */
export interface RateLimitStatus {
  readonly limit: number;
  readonly remaining: number | null;
  readonly resetSeconds: number | null;
}

/** What is left of a quota. `resetsAt` is null if the period never ends. */
export interface QuotaStatus {
  readonly limit: number;
  readonly used: number;
  readonly remaining: number;
  readonly resetsAt: string | null;
}

/** A report that the text of a key is public. */
export interface Leak {
  readonly reportedAt: string;
  readonly source: "report" | "github";
  readonly url: string | null;
}

/** The details of a key that exists, with every verification of it. */
export interface VerifiedDetails {
  readonly id: string;
  readonly organizationId: string;
  readonly name: string;
  readonly permissions: readonly string[];
  readonly missingPermissions: readonly string[];
  readonly metadata: Metadata;
  readonly expiresAt: string | null;
  readonly allowedIps: readonly string[] | null;
  /** What is left of the rate limit of the key or of its organization, whichever is tighter. */
  readonly rateLimit: RateLimitStatus | null;
  /** What is left of the quota of the key or of its organization, whichever is tighter. */
  readonly quota: QuotaStatus | null;
  /** In how many seconds a use would be admitted. null for codes other than those of limits, and if never. */
  readonly retryAfterSeconds: number | null;
  readonly leak: Leak | null;
}

/** The key works, and has the required permissions. */
export interface Valid extends VerifiedDetails {
  readonly valid: true;
  readonly code: "VALID";
}

/** The key is unknown. Malformed, forged, deleted and rotated-out keys are indistinguishable on purpose. */
export interface NotFound {
  readonly valid: false;
  readonly code: "NOT_FOUND";
}

/** The key has expired. */
export interface Expired extends VerifiedDetails {
  readonly valid: false;
  readonly code: "EXPIRED";
}

/** The key is disabled. */
export interface Disabled extends VerifiedDetails {
  readonly valid: false;
  readonly code: "DISABLED";
}

/** The organization of the key is scheduled for deletion. */
export interface OrganizationFrozen extends VerifiedDetails {
  readonly valid: false;
  readonly code: "ORGANIZATION_FROZEN";
}

/** The key has allowed addresses, and `clientIp` is none of them or was not passed. */
export interface IpNotAllowed extends VerifiedDetails {
  readonly valid: false;
  readonly code: "IP_NOT_ALLOWED";
}

/** The key lacks `missingPermissions`. */
export interface InsufficientPermissions extends VerifiedDetails {
  readonly valid: false;
  readonly code: "INSUFFICIENT_PERMISSIONS";
}

/** The rate limit of the key or of its organization is reached. */
export interface RateLimited extends VerifiedDetails {
  readonly valid: false;
  readonly code: "RATE_LIMITED";
}

/** The quota of the key or of its organization is used up. */
export interface QuotaExceeded extends VerifiedDetails {
  readonly valid: false;
  readonly code: "QUOTA_EXCEEDED";
}

/** The key is refused for a reason that this version does not know. `unknownCode` is the code of the server. */
export interface UnknownRefusal {
  readonly valid: false;
  readonly code: "UNKNOWN";
  readonly unknownCode: string;
}

/** Refusal of a key. */
export type Refused =
  | NotFound
  | Expired
  | Disabled
  | OrganizationFrozen
  | IpNotAllowed
  | InsufficientPermissions
  | RateLimited
  | QuotaExceeded
  | UnknownRefusal;

/** Result of verifying a key. `valid` or `code` narrows it. */
export type Verification = Valid | Refused;

/**
 * The key of a batch could not be verified. It may be valid, so this is no refusal: answer 503, and verify it again.
 */
export interface Undecided {
  readonly valid: false;
  readonly code: "SERVICE_UNAVAILABLE";
}

/** Result of verifying a key of a batch. */
export type BatchResult = Verification | Undecided;

/** What a key is used for. */
export interface VerifyOptions {
  /** The permissions that the key must have. By default none are required. */
  readonly permissions?: readonly string[] | undefined;
  /**
   * The address of your caller, as your server sees it. Without it, keys with allowed addresses are refused.
   * Do not take it from a header that callers can set.
   */
  readonly clientIp?: string | null | undefined;
  /** How much of the limits this use takes: an integer from 0 to 1,000,000, by default 1. */
  readonly cost?: number | undefined;
}

/** A key to verify in a batch, and what it is used for. */
export interface Use extends VerifyOptions {
  /** The key, as your caller presented it. */
  readonly key: string;
}

/** A key in a list. */
export interface ApiKeySummary {
  readonly id: string;
  readonly name: string;
  readonly enabled: boolean;
  readonly permissions: readonly string[];
  readonly metadata: Metadata;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly expiresAt: string | null;
  /** When the key was last verified, accurate to about a minute. null if it never was. */
  readonly lastUsedAt: string | null;
  readonly lastUsedIp: string | null;
  readonly requestCount: number;
  /** The beginning and end of the key's text. */
  readonly hint: string;
  readonly rateLimit: RateLimit | null;
  readonly quota: Quota | null;
  readonly allowedIps: readonly string[] | null;
  readonly leak: Leak | null;
}

/** A key with all its details. */
export interface ApiKeyDetails extends ApiKeySummary {
  /** The id of the user who created the key. */
  readonly createdBy: string;
  /** When the text before the last rotation stops working. null if it no longer works. */
  readonly previousKeyExpiresAt: string | null;
  readonly previousKeyLastUsedAt: string | null;
}

/** A new key. Store `key`, its text, now: it cannot be shown again. Inspecting the object hides it. */
export interface CreatedApiKey {
  readonly id: string;
  readonly key: string;
}

/** A rotated key. Store `key`, its new text, now: it cannot be shown again. Inspecting the object hides it. */
export interface RotatedApiKey {
  readonly id: string;
  readonly key: string;
  /** The key as it is now. */
  readonly apiKey: ApiKeyDetails;
  /** When the previous text stops working. null if it no longer works. */
  readonly previousKeyExpiresAt: string | null;
}

/** The actor of a change: `user`, `api_key`, `operator`, `identity_provider` or `system`. */
export interface AuditLogActor {
  readonly type: string;
  readonly id: string;
  readonly name: string | null;
}

/** A record of the audit log. */
export interface AuditLog {
  readonly id: string;
  readonly event: string;
  readonly actor: AuditLogActor;
  readonly targetId: string;
  readonly targetType: string;
  /** The changed fields, `before` and `after`. */
  readonly changes: { readonly [name: string]: unknown };
  readonly sourceIp: string | null;
  readonly requestId: string | null;
  readonly createdAt: string;
  readonly receivedAt: string;
  readonly reason: string | null;
}

/** A key to create. */
export interface CreateApiKey {
  /** Up to 120 characters. */
  readonly name: string;
  /** At least one. */
  readonly permissions: readonly string[];
  /** Up to 16 KiB as JSON. */
  readonly metadata?: Metadata | undefined;
  readonly expiresAt?: string | Date | null | undefined;
  readonly rateLimit?: RateLimitInput | null | undefined;
  readonly quota?: Quota | null | undefined;
  /** Up to 50 addresses and ranges. null and an empty list allow all. */
  readonly allowedIps?: readonly string[] | null | undefined;
  /** 1 to 255 printable ASCII characters, by default a new UUID. The same key and fields create one key in 24 hours. */
  readonly idempotencyKey?: string | undefined;
}

/** Fields to change. Omitted fields stay as they are; null removes a limit or the expiry. */
export interface UpdateApiKey {
  readonly name?: string | undefined;
  readonly enabled?: boolean | undefined;
  readonly permissions?: readonly string[] | undefined;
  readonly metadata?: Metadata | undefined;
  readonly expiresAt?: string | Date | null | undefined;
  readonly rateLimit?: RateLimitInput | null | undefined;
  readonly quota?: Quota | null | undefined;
  readonly allowedIps?: readonly string[] | null | undefined;
  /** null clears the report that the text of the key is public. */
  readonly leak?: null | undefined;
  /** Only together with `enabled: false`. */
  readonly reason?: Reason | undefined;
}

/** Options of a rotation. */
export interface RotateOptions {
  /** How long the previous text keeps working, up to 604,800 seconds (7 days). By default it stops at once. */
  readonly gracePeriodSeconds?: number | undefined;
  readonly reason?: Reason | undefined;
  /** 1 to 255 printable ASCII characters, by default a new UUID. The same key and options rotate once in 24 hours. */
  readonly idempotencyKey?: string | undefined;
}

/** Options of a deletion. */
export interface DeleteOptions {
  readonly reason?: Reason | undefined;
}

/** Filters of a list of keys. */
export interface ListOptions {
  readonly enabled?: boolean | undefined;
  /** Only keys that were granted this permission directly. */
  readonly permission?: string | undefined;
  /** Only keys that expire before this time, or have expired. */
  readonly expiresBefore?: string | Date | undefined;
  /** Keys per request, 1 to 100, by default 100. */
  readonly pageSize?: number | undefined;
}

/** Filters of the audit log. */
export interface AuditLogOptions {
  readonly event?: readonly string[] | undefined;
  readonly actorType?: readonly string[] | undefined;
  readonly actorUserId?: string | undefined;
  readonly actorApiKeyId?: string | undefined;
  readonly targetId?: string | undefined;
  /** Only records created at or after this time. */
  readonly createdFrom?: string | Date | undefined;
  /** Only records created at or before this time. */
  readonly createdTo?: string | Date | undefined;
  /** Records per request, 1 to 100, by default 100. */
  readonly pageSize?: number | undefined;
}

/** AWS credentials. A function that returns them is called again five minutes before their `expiration`. */
export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
  /** A Date or an ISO 8601 string. */
  readonly expiration?: Date | string | undefined;
}

/** Options of a client. */
export interface KeywrightOptions {
  /** Session token of an owner or admin, for the management of keys. A function is called before every attempt. */
  readonly token?: string | (() => string | Promise<string>) | undefined;
  /** AWS region of the API. By default that of its address, else `AWS_REGION`, else `AWS_DEFAULT_REGION`. */
  readonly region?: string | undefined;
  /** AWS credentials to verify keys with, or a function that returns them. By default those of the environment. */
  readonly credentials?: AwsCredentials | (() => AwsCredentials | Promise<AwsCredentials>) | undefined;
  /** Time limit of each attempt, 0.001 to 900 seconds, by default 5. */
  readonly timeoutSeconds?: number | undefined;
  /** Further attempts after a failure, 0 to 10, by default 2. */
  readonly retries?: number | undefined;
  /**
   * How long a `VALID` answer for a key without limits may be reused, 0 to 3,600 seconds, by default 0.
   * A revoked key works for at most that long.
   */
  readonly reuseSeconds?: number | undefined;
  /** The maximum number of answers kept for reuse, 1 to 10,000,000, by default 10,000. */
  readonly reuseEntries?: number | undefined;
  /** The function that sends requests, by default `fetch`. */
  readonly fetch?: typeof fetch | undefined;
}

/** The function that verifies keys, by its ARN (the stack's output `VerifyApiKeyFunctionArn`): without API Gateway. */
export interface DirectTarget {
  readonly function: string;
}
