/** What the middleware answers, apart from any framework: from the key of a request to its admission or its refusal. */

import { numberIn, stringsOf } from "./checks.js";
import type { Keywright } from "./client.js";
import { ApiConnectionError, ApiError } from "./errors.js";
import type { QuotaExceeded, RateLimited, Refused, Valid, Verification } from "./types.js";

/** Options that the middleware of every framework has. */
export interface ApiKeyOptions {
  /** The permissions that the key must have. By default none are required. */
  readonly permissions?: readonly string[] | undefined;
  /** How much of the key's limits a request takes: 0 to 1,000,000, by default 1. */
  readonly cost?: number | undefined;
  /**
   * Called once for each request that is answered with 503, with the reason; the error never has the key.
   * By default one line is written with `console.error`.
   */
  readonly onError?: ((error: ApiError | ApiConnectionError) => void) | undefined;
}

/** The part of {@link Keywright} that middleware uses. Tests of your routes can pass a stub of it. */
export type Verifier = Pick<Keywright, "verify">;

/** An answer to a request whose key does not admit it. */
export interface Refusal {
  readonly status: 401 | 403 | 429 | 503;
  /** Header fields, with names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: { readonly error: { readonly code: string; readonly message: string } };
}

/** A valid key, and the header fields that tell its holder what is left of its limits. */
export interface Admission {
  readonly apiKey: Valid;
  readonly headers: Readonly<Record<string, string>>;
}

/** What a request says about its caller: two header fields, as received, and an address. */
export interface PresentedKey {
  readonly xApiKey: string | null | undefined;
  readonly authorization: string | null | undefined;
  readonly clientIp: string | undefined;
}

/** What becomes of a request. */
export type Outcome = { readonly admission: Admission } | { readonly refusal: Refusal };

/**
 * Return a function that verifies the key of a request, and returns its admission or the refusal to answer.
 *
 * The function throws a missing configuration only: that is a defect of the deployment, not of the request. Options
 * that are not valid are thrown at once, when the application starts.
 */
export function admitting(
  keywright: Verifier,
  { permissions: required, cost = 1, onError = logError }: ApiKeyOptions,
): (presented: PresentedKey) => Promise<Outcome> {
  const permissions = stringsOf("permissions", required) ?? [];
  numberIn("cost", cost, { from: 0, to: 1_000_000 });
  return async (presented) => {
    const text = keyOf(presented);
    if (text === undefined) {
      return { refusal: NO_KEY };
    }
    let verification: Verification;
    try {
      verification = await keywright.verify(text, { permissions, clientIp: addressOf(presented.clientIp), cost });
    } catch (error) {
      if (!(error instanceof ApiError || error instanceof ApiConnectionError)) {
        throw error;
      }
      onError(error);
      return { refusal: unavailable(error) };
    }
    return verification.valid
      ? { admission: { apiKey: verification, headers: limitHeaders(verification) } }
      : { refusal: refusalOf(verification, permissions) };
  };
}

/** Return the key of a request: `x-api-key`, else `Authorization: Bearer`; undefined without one. */
export function keyOf({ xApiKey, authorization }: Omit<PresentedKey, "clientIp">): string | undefined {
  if (xApiKey) {
    return xApiKey;
  }
  return /^bearer +(\S.*)$/is.exec(authorization ?? "")?.[1];
}

/**
 * Return an address without its IPv6 zone; undefined for other strings, such as the path of a Unix socket, which
 * Keywright would refuse as a request that is not valid.
 */
export function addressOf(clientIp: string | undefined): string | undefined {
  const address = clientIp?.split("%", 1)[0] ?? "";
  try {
    if (/^[\d.]+$/.test(address)) {
      return new URL(`http://${address}`).hostname === address ? address : undefined;
    }
    if (/^[\da-f:.]*:[\da-f:.]*$/i.test(address)) {
      new URL(`http://[${address}]`);
      return address;
    }
  } catch {
    // not an address
  }
  return undefined;
}

/** Return the answer to a request whose key was refused for the permissions that it needs. */
export function refusalOf(verification: Refused, permissions: readonly string[]): Refusal {
  switch (verification.code) {
    case "INSUFFICIENT_PERMISSIONS":
      return refusal(403, verification.code, {
        // RFC 6750, section 3.1
        "www-authenticate": `Bearer error="insufficient_scope", scope="${permissions.join(" ")}"`,
      });
    case "IP_NOT_ALLOWED":
    case "ORGANIZATION_FROZEN":
      return refusal(403, verification.code, {});
    case "RATE_LIMITED":
    case "QUOTA_EXCEEDED":
      return refusal(429, verification.code, {
        ...retryAfter(verification.retryAfterSeconds),
        ...limitHeaders(untilAdmitted(verification)),
      });
    default:
      // One answer for all other reasons: whoever tries keys does not learn which of them exist.
      return NOT_VALID;
  }
}

/**
 * Return `RateLimit-Policy` and `RateLimit` for what is left of a key's limits, as in
 * draft-ietf-httpapi-ratelimit-headers-10; no header fields for a key without limits.
 */
export function limitHeaders({ rateLimit, quota }: Limits, now: number = Date.now()): Record<string, string> {
  const limits: readonly Limit[] = [
    ...(rateLimit === null ? [] : [{ name: "rate", ...rateLimit }]),
    ...(quota === null ? [] : [{ name: "quota", ...quota, resetSeconds: secondsUntil(quota.resetsAt, now) }]),
  ];
  const left = limits.flatMap(({ name, remaining, resetSeconds }) =>
    remaining === null
      ? []
      : [`"${name}";r=${natural(remaining)}${resetSeconds === null ? "" : `;t=${natural(resetSeconds)}`}`],
  );
  const policies = limits.map(({ name, limit }) => `"${name}";q=${natural(limit)}`);
  return {
    ...(policies.length === 0 ? {} : { "ratelimit-policy": policies.join(", ") }),
    ...(left.length === 0 ? {} : { ratelimit: left.join(", ") }),
  };
}

/** Return the limits with the time of `retry-after` for a rate that refused the use; the whole burst takes longer. */
function untilAdmitted({ code, rateLimit, quota, retryAfterSeconds }: RateLimited | QuotaExceeded): Limits {
  const isRefused = code === "RATE_LIMITED" && rateLimit !== null && retryAfterSeconds !== null;
  return { rateLimit: isRefused ? { ...rateLimit, resetSeconds: retryAfterSeconds } : rateLimit, quota };
}

type Limits = Pick<Valid, "rateLimit" | "quota">;

interface Limit {
  readonly name: string;
  readonly limit: number;
  readonly remaining: number | null;
  readonly resetSeconds: number | null;
}

const MESSAGES = {
  INSUFFICIENT_PERMISSIONS: "The API key does not have permission for this request",
  IP_NOT_ALLOWED: "The API key may not be used from this address",
  ORGANIZATION_FROZEN: "The organization of the API key is scheduled for deletion",
  RATE_LIMITED: "The API key or its organization has reached its rate limit",
  QUOTA_EXCEEDED: "The quota of the API key or of its organization is used up",
} as const;

const NO_KEY = unauthorized("The request has no API key", "Bearer");
const NOT_VALID = unauthorized("The API key is not valid", 'Bearer error="invalid_token"');

function unauthorized(message: string, challenge: string): Refusal {
  const body = { error: { code: "UNAUTHORIZED", message } };
  return { status: 401, headers: { "www-authenticate": challenge }, body };
}

function refusal(status: 403 | 429, code: keyof typeof MESSAGES, headers: Record<string, string>): Refusal {
  return { status, headers, body: { error: { code, message: MESSAGES[code] } } };
}

function unavailable(error: ApiError | ApiConnectionError): Refusal {
  const seconds = error instanceof ApiError ? (error.retryAfterSeconds ?? 1) : 1;
  // Waiting does not help if, for example, the AWS credentials lack a permission.
  const passes = error instanceof ApiConnectionError || error.status === 429 || error.status >= 500;
  return {
    status: 503,
    headers: passes ? retryAfter(seconds) : {},
    body: { error: { code: "SERVICE_UNAVAILABLE", message: "API keys cannot be verified at the moment" } },
  };
}

function secondsUntil(time: string | null, now: number): number | null {
  return time === null ? null : Math.ceil((Date.parse(time) - now) / 1000);
}

function retryAfter(seconds: number | null): Record<string, string> {
  return seconds === null ? {} : { "retry-after": String(natural(seconds)) };
}

/** Return the number; 0 if it is negative, as the time to a moment that is over by a clock ahead of Keywright's. */
function natural(number: number): number {
  return Math.max(0, number);
}

function logError(error: ApiError | ApiConnectionError): void {
  console.error(`API key not verified: ${String(error)}`);
}
