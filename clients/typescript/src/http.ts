/** One HTTP request, within a time limit. */

import { ApiConnectionError, notSent } from "./errors.js";

/** A response that was read as a whole. */
export interface Received {
  readonly status: number;
  readonly headers: Headers;
  /** The parsed body. Undefined if it is not JSON. */
  readonly body: unknown;
}

/** Sends a request. */
export type Send = (url: string, request: RequestInit) => Promise<Received>;

/** Return a function that sends requests, each within `seconds`. It throws ApiConnectionError without a response. */
export function sender(custom: typeof fetch | undefined, seconds: number): Send {
  return async (url, request) => {
    // Not called as a method: browsers and workers refuse that. Read late, since tests replace the global one.
    const send = custom ?? fetch;
    try {
      const signal = AbortSignal.timeout(Math.ceil(seconds * 1000));
      // A signature is for one address, and a token for one host.
      const response = await send(url, { ...request, redirect: "manual", signal });
      return { status: response.status, headers: response.headers, body: parsed(await response.text()) };
    } catch (error) {
      const { reason, isSent } = failureOf(error, seconds);
      const { host } = new URL(url);
      throw isSent ? new ApiConnectionError(reason, host) : notSent(reason, host);
    }
  };
}

/** Return the value of a string of JSON. Undefined if it is not JSON. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

// Only codes are shown: messages and causes of runtimes can contain the address and headers of the request.
function failureOf(error: unknown, seconds: number): { readonly reason: string; readonly isSent: boolean } {
  const failures = [...chain(error)];
  if (failures.some(({ name }) => name === "TimeoutError")) {
    return { reason: `timed out after ${seconds} s`, isSent: true };
  }
  const texts = failures.flatMap(({ name, code, message }) => [name, code, message]).map(String);
  const kind = KINDS.find(({ pattern }) => texts.some((each) => pattern.test(each)));
  const code = failures.map((each) => each.code).find((each) => /^[A-Z][A-Z0-9_]{1,40}$/.test(String(each)));
  const reason = kind?.reason ?? "the connection failed";
  return { reason: code === undefined ? reason : `${reason} (${String(code)})`, isSent: kind?.isSent ?? true };
}

interface Kind {
  readonly reason: string;
  readonly pattern: RegExp;
  /** Whether the request may have reached the server. */
  readonly isSent: boolean;
}

// Node.js and Bun have codes, Deno and workers only messages.
const KINDS: readonly Kind[] = [
  { reason: "the connection timed out", pattern: /^UND_ERR_CONNECT_TIMEOUT$/, isSent: false },
  { reason: "the connection timed out", pattern: /TIMEOUT|ETIMEDOUT|timed out/, isSent: true },
  { reason: "the name cannot be resolved", pattern: /^ENOTFOUND$|^EAI_|dns error/, isSent: false },
  { reason: "the connection was refused", pattern: /^ECONNREFUSED$|connection refused/i, isSent: false },
  {
    reason: "the connection was closed",
    pattern: /^ECONNRESET$|^EPIPE$|^UND_ERR_SOCKET$|connection (closed|lost|reset)/i,
    isSent: true,
  },
  {
    reason: "TLS failed",
    pattern: /^CERT_|^UNABLE_TO_|^ERR_TLS_CERT_|SELF_SIGNED_CERT|invalid peer certificate/,
    isSent: false,
  },
  { reason: "TLS failed", pattern: /CERT|TLS|SSL|UNABLE_TO_|certificate/, isSent: true },
];

interface Failure {
  readonly name?: unknown;
  readonly code?: unknown;
  readonly message?: unknown;
}

/** Return an error and its causes, of which Node.js has two levels. */
function* chain(error: unknown, depth = 0): Generator<Failure> {
  if (typeof error !== "object" || error === null || depth > 3) return;
  const { cause, errors } = error as { readonly cause?: unknown; readonly errors?: unknown };
  yield error as Failure;
  for (const each of [cause, ...(Array.isArray(errors) ? errors : [])]) yield* chain(each, depth + 1);
}
