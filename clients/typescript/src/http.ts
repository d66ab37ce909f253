/** One HTTP request, within a time limit. */

import { ApiConnectionError } from "./errors.js";

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
      throw new ApiConnectionError(`${new URL(url).host}: ${reasonOf(error, seconds)}`);
    }
  };
}

/** Return the value of a JSON text. Undefined if it is none. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

// Only codes are shown: messages and causes of runtimes can contain the address and headers of the request.
function reasonOf(error: unknown, seconds: number): string {
  const codes = [...chain(error)].flatMap(({ name, code }) => [name, code]).filter(isCode);
  const kind = KINDS.find(({ pattern }) => codes.some((code) => pattern.test(code)));
  const code = codes.find((each) => !/^(Type|Syntax|Aggregate)?Error$/.test(each));
  if (kind?.timeLimit) return `no answer within ${seconds} s`;
  return [kind?.text ?? "the connection failed", code && `(${code})`].filter(Boolean).join(" ");
}

const KINDS: readonly { pattern: RegExp; text?: string; timeLimit?: true }[] = [
  { pattern: /^TimeoutError$/, timeLimit: true },
  { pattern: /TIMEOUT|ETIMEDOUT/, text: "the connection timed out" },
  { pattern: /^(ENOTFOUND|EAI_)/, text: "the name cannot be resolved" },
  { pattern: /^(ECONNREFUSED|ConnectionRefused)$/, text: "the connection was refused" },
  { pattern: /^(ECONNRESET|EPIPE|UND_ERR_SOCKET|ConnectionClosed)$/, text: "the connection was closed" },
  { pattern: /CERT|TLS|SSL|UNABLE_TO_/, text: "TLS failed" },
];

interface Failure {
  readonly name?: unknown;
  readonly code?: unknown;
}

/** Return an error and its causes, of which Node.js has two levels. */
function* chain(error: unknown, depth = 0): Generator<Failure> {
  if (typeof error !== "object" || error === null || depth > 3) return;
  const { cause, errors } = error as { readonly cause?: unknown; readonly errors?: unknown };
  yield error as Failure;
  for (const each of [cause, ...(Array.isArray(errors) ? errors : [])]) yield* chain(each, depth + 1);
}

function isCode(code: unknown): code is string {
  return typeof code === "string" && /^[A-Za-z][A-Za-z0-9_]{1,60}$/.test(code);
}
