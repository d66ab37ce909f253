/** The answers of Keywright: the envelope, the results of each call, and the errors. */

import { ApiError } from "./errors.js";
import { integer, list, Malformed, nullable, object, record, text, time, truth, type Read } from "./shapes.js";
import type {
  ApiKeyDetails,
  ApiKeySummary,
  AuditLog,
  AuditLogActor,
  BatchResult,
  CreatedApiKey,
  Leak,
  Metadata,
  Quota,
  QuotaStatus,
  RateLimit,
  RateLimitStatus,
  RotatedApiKey,
  Undecided,
  Valid,
  Verification,
  VerifiedDetails,
} from "./types.js";

/** How the request went: signed to the API for one key or for a batch, with a token to the API, or to Lambda. */
export type Way = "signed" | "batch" | "token" | "lambda";

/** An answer, of whichever transport. */
export interface Answer {
  readonly status: number;
  /** The parsed body. Undefined if it is not JSON. */
  readonly body: unknown;
  readonly requestId: string | undefined;
  readonly retryAfterSeconds: number | undefined;
  readonly way: Way;
  /** The type of AWS's own error, such as `AccessDeniedException`. */
  readonly errorType?: string | undefined;
}

/** A page of a list. */
export interface Page<T> {
  readonly items: readonly T[];
  /** The cursor of the next page. null on the last page. */
  readonly next: string | null;
}

const INSPECT = Symbol.for("nodejs.util.inspect.custom"); // of Node.js, Deno and Bun

/** Return the result of a call.
 *
 * Raise ApiError if the answer is an error, or is not what `read` reads.
 */
export function resultOf<T>(answer: Answer, read: Read<T>): T {
  if (answer.status !== 200) throw errorOf(answer);
  const { data, error: failure } = Object(answer.body) as { readonly [name: string]: unknown };
  if (failure !== null) throw unexpected(answer);
  try {
    return read(data, "data");
  } catch (error) {
    if (error instanceof Malformed) throw unexpected(answer, error.message);
    throw error;
  }
}

/** Return the page of a list that a cursor leads to, null to the first one; `read` reads an item.
 *
 * Raise ApiError if the answer is an error, or is not a page.
 */
export function pageOf<T>(answer: Answer, read: Read<T>, cursor: string | null): Page<T> {
  const items = resultOf(answer, list(read));
  try {
    const { has_more, next_cursor } = pagination(record(answer.body, "the body")["pagination"], "pagination");
    if (has_more !== (next_cursor !== null)) throw new Malformed("pagination");
    if (next_cursor !== null && next_cursor === cursor) throw new Malformed("pagination.next_cursor"); // has no end
    return { items, next: next_cursor };
  } catch (error) {
    if (error instanceof Malformed) throw unexpected(answer, error.message);
    throw error;
  }
}

/** Return the error of an answer that is not a success. */
export function errorOf(answer: Answer): ApiError {
  const error = answeredError(answer.body);
  if (error === undefined) return unexpected(answer);
  const { status, requestId, retryAfterSeconds } = answer;
  return new ApiError({ status, ...error, requestId, retryAfterSeconds });
}

/** Return the code of an error that Keywright answered. Undefined if the answer has none. */
export function errorCodeOf(answer: Answer): string | undefined {
  return answeredError(answer.body)?.code;
}

/** Read the result of verifying a key. A result that contradicts itself is malformed. */
export const verification: Read<Verification> = (value, path) => {
  const { valid, code } = verdict(value, path);
  if (valid !== (code === "VALID") || code === "") throw new Malformed(path);
  if (code === "NOT_FOUND") return Object.freeze({ valid: false, code });
  if (!DETAILED.has(code)) return Object.freeze({ valid: false, code: "UNKNOWN", unknownCode: code });
  return Object.freeze({ valid, code, ...details(value, path) }) as Verification;
};

/** Return a reader of the results of a batch of `count` keys. Another number of results is malformed. */
export function batchOf(count: number): Read<readonly BatchResult[]> {
  const read = object<{ results: readonly BatchResult[] }>({ results: list(batchResult) });
  return (value, path) => {
    const { results } = read(value, path);
    if (results.length !== count) throw new Malformed(`${path}.results`);
    return results;
  };
}

const batchResult: Read<BatchResult> = (value, path) => {
  const result = verification(value, path);
  return result.code === "UNKNOWN" && result.unknownCode === UNDECIDED.code ? UNDECIDED : result;
};

const UNDECIDED: Undecided = Object.freeze({ valid: false, code: "SERVICE_UNAVAILABLE" });

const DETAILED: ReadonlySet<string> = new Set<Exclude<Verification["code"], "NOT_FOUND" | "UNKNOWN">>([
  "VALID",
  "EXPIRED",
  "DISABLED",
  "ORGANIZATION_FROZEN",
  "IP_NOT_ALLOWED",
  "INSUFFICIENT_PERMISSIONS",
  "RATE_LIMITED",
  "QUOTA_EXCEEDED",
]);

// Enumerations are read as strings: a newer server may have more values.
const open = text as Read<never>;

const verdict = object<{ valid: boolean; code: string }>({ valid: truth, code: text });

const metadata: Read<Metadata> = (value, path) => {
  const read = record(value, path);
  if (!Object.values(read).every((item) => ["string", "number", "boolean"].includes(typeof item))) {
    throw new Malformed(path);
  }
  return Object.freeze(read) as Metadata;
};

const leak = object<Leak>({ reportedAt: time, source: open, url: nullable(text) });

const details = object<VerifiedDetails>({
  id: text,
  organizationId: text,
  name: text,
  permissions: list(text),
  missingPermissions: list(text),
  metadata,
  expiresAt: nullable(time),
  allowedIps: nullable(list(text)),
  rateLimit: nullable(
    object<RateLimitStatus>({ limit: integer, remaining: nullable(integer), resetSeconds: nullable(integer) }),
  ),
  quota: nullable(object<QuotaStatus>({ limit: integer, used: integer, remaining: integer, resetsAt: nullable(time) })),
  retryAfterSeconds: nullable(integer),
  leak: nullable(leak),
});

const summaryFields = {
  id: text,
  name: text,
  enabled: truth,
  permissions: list(text),
  metadata,
  createdAt: time,
  updatedAt: time,
  expiresAt: nullable(time),
  lastUsedAt: nullable(time),
  lastUsedIp: nullable(text),
  requestCount: integer,
  hint: text,
  rateLimit: nullable(object<RateLimit>({ limit: integer, windowSeconds: integer, burst: integer })),
  quota: nullable(object<Quota>({ limit: integer, period: open })),
  allowedIps: nullable(list(text)),
  leak: nullable(leak),
};

/** Read a key in a list. */
export const apiKeySummary = object<ApiKeySummary>(summaryFields);

/** Read a key with all its details. */
export const apiKeyDetails = object<ApiKeyDetails>({
  ...summaryFields,
  createdBy: text,
  previousKeyExpiresAt: nullable(time),
  previousKeyLastUsedAt: nullable(time),
});

/** Read a changed key. */
export const updatedApiKey: Read<ApiKeyDetails> = (value, path) =>
  object<{ apiKey: ApiKeyDetails }>({ apiKey: apiKeyDetails })(value, path).apiKey;

/** Read a new key. Inspecting it hides its text. */
export const createdApiKey = secretive(object<CreatedApiKey>({ id: text, key: text }));

/** Read a rotated key. Inspecting it hides its text. */
export const rotatedApiKey = secretive(
  object<RotatedApiKey>({ id: text, key: text, apiKey: apiKeyDetails, previousKeyExpiresAt: nullable(time) }),
);

/** Read the confirmation of a deletion. */
export const deletedApiKey: Read<void> = (value, path) => {
  object<{ status: string }>({ status: text })(value, path);
};

/** Read a record of the audit log. */
export const auditLog = object<AuditLog>({
  id: text,
  event: text,
  actor: object<AuditLogActor>({ type: text, id: text, name: nullable(text) }),
  targetId: text,
  targetType: text,
  changes: record,
  sourceIp: nullable(text),
  requestId: nullable(text),
  createdAt: time,
  receivedAt: time,
  reason: nullable(text),
});

const pagination = object<{ has_more: boolean; next_cursor: string | null }>({
  has_more: truth,
  next_cursor: nullable(text),
});

/** Return whether an answer may be reused: the key works, and a use takes nothing that is limited. */
export function isReusable(result: Verification): result is Valid {
  return result.code === "VALID" && result.rateLimit === null && result.quota === null;
}

function secretive<T extends { readonly key: string }>(read: Read<T>): Read<T> {
  return (value, path) => {
    const result = { ...read(value, path) };
    const shown = { ...result, key: "[hidden]" };
    return Object.freeze(Object.defineProperty(result, INSPECT, { value: () => shown }));
  };
}

function answeredError(body: unknown): { code: string; message: string; hint?: string; docs?: string } | undefined {
  const error = (body as { error?: unknown } | null | undefined)?.error;
  if (typeof error !== "object" || error === null) return undefined;
  const { code, message, hint, docs } = error as { readonly [name: string]: unknown };
  // API Gateway answers empty strings if IAM denies the request.
  if (typeof code !== "string" || code === "" || typeof message !== "string") return undefined;
  return {
    code,
    message,
    ...(typeof hint === "string" && hint !== "" ? { hint } : {}),
    ...(typeof docs === "string" && docs !== "" ? { docs } : {}),
  };
}

/** Return the error of an answer that is not Keywright's, which says what to check. `path`: the malformed field. */
function unexpected(answer: Answer, path?: string): ApiError {
  const { status, requestId, retryAfterSeconds, errorType } = answer;
  const [explanation, hint] = explained(answer);
  const detail = errorType ?? path;
  const message = detail === undefined ? explanation : `${explanation} (${detail})`;
  return new ApiError({ status, code: "UNEXPECTED_ANSWER", message, hint, requestId, retryAfterSeconds });
}

type Explanation = readonly [message: string, hint: string];

function explained({ status, way }: Answer): Explanation {
  if ([429, 500, 502, 503, 504].includes(status)) {
    return ["AWS answered in place of Keywright", "Repeat the request later."];
  }
  if (way === "lambda") return explainedOfLambda(status);
  if (status === 403 && way === "token") {
    const hint = "Check the address, and the firewall in front of it.";
    return ["The request was refused before it reached Keywright", hint];
  }
  if (status === 403) {
    const output = way === "batch" ? "VerifyApiKeysArn" : "VerifyApiKeyArn";
    return [
      "The AWS credentials may not call this API",
      `Allow execute-api:Invoke on the stack's output ${output}, and check the AWS credentials and region.`,
    ];
  }
  const redirects = status >= 300 && status < 400;
  const message = redirects ? "The address redirects, which is not followed" : "The answer is not from Keywright";
  return [message, "Check the address: it must be the stack's output ApiUrl."];
}

const CHECK_FUNCTION = "Check function: it must be the ARN of the stack's VerifyApiKey function.";

function explainedOfLambda(status: number): Explanation {
  if (status === 403) {
    return [
      "The AWS credentials may not invoke the function",
      "Allow lambda:InvokeFunction on the function, and check the AWS credentials and region.",
    ];
  }
  if (status === 404) return ["The function does not exist", CHECK_FUNCTION];
  if (status === 200) return ["The function does not answer as Keywright", CHECK_FUNCTION];
  return ["Lambda refused the invocation", "Check function and region."];
}
