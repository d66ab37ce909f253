const TIMEOUT_MS = 35000;

/**
 * A request that failed, in words for people.
 *
 * `status` is 0 without an answer, and null if no request was sent. `requestId` is null if the answer has none,
 * `retryAfterSeconds` if it names no time.
 */
export class ApiError extends Error {
  constructor({ message, ...rest }) {
    super(message);
    Object.assign(this, { status: null, docs: null, requestId: null, retryAfterSeconds: null }, rest);
  }

  /** Whether the request may have been carried out all the same. */
  get isUncertain() {
    return this.status === 0 || this.status >= 500;
  }
}

/**
 * Return a client of the API.
 *
 * @param {string} baseUrl the address of the deployment, which ends in /v1 unless it has a custom domain.
 * @param {({refresh: boolean, refused: string | null}) => Promise<string>} tokenProvider returns a session token. After a
 *   401 it is called once with `refresh: true` for a new one, and the one that was refused.
 * @param {(error: ApiError) => void} onUnauthorized called when the service refuses a renewed token too.
 */
export function createApi(baseUrl, tokenProvider, onUnauthorized) {
  const root = baseUrl.replace(/\/+$/, "");

  async function token(refused) {
    let reason = null;
    try {
      const text = await tokenProvider({ refresh: refused !== null, refused });
      if (typeof text === "string" && text) return text;
    } catch (error) {
      reason = error;
    }
    throw new ApiError({
      code: "NO_SESSION_TOKEN",
      message: reason?.message || "There is no session token",
      hint: reason?.hint || "Sign in again.",
    });
  }

  async function send(method, path, { query, body, idempotencyKey, signal } = {}, refused = null) {
    const url = new URL(root + path);
    for (const [name, value] of Object.entries(query ?? {})) {
      if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, value);
    }
    const text = await token(refused);
    const headers = { authorization: `Bearer ${text}` };
    if (body !== undefined) headers["content-type"] = "application/json";
    if (idempotencyKey) headers["idempotency-key"] = idempotencyKey;
    const response = await answer(url, { method, headers, body: body && JSON.stringify(body), signal });
    if (response.status === 401 && refused === null) {
      return send(method, path, { query, body, idempotencyKey, signal }, text);
    }
    const content = await parsed(response, signal);
    if (response.ok) return content;
    const error = failed(response, content);
    if (error.status === 401) onUnauthorized(error);
    throw error;
  }

  const data = async (...request) => (await send(...request)).data;
  const key = (id) => `/auth/api-keys/${encodeURIComponent(id)}`;

  return {
    organization: (signal) => data("GET", "/auth/orgs/current", { signal }),
    listKeys: (query, signal) => send("GET", "/auth/api-keys", { query, signal }),
    getKey: (id, signal) => data("GET", key(id), { signal }),
    keyUsage: (id, query, signal) => data("GET", `${key(id)}/usage`, { query, signal }),
    createKey: (body, idempotencyKey) => data("POST", "/auth/api-keys", { body, idempotencyKey }),
    updateKey: (id, body) => data("PATCH", key(id), { body }),
    rotateKey: (id, body, idempotencyKey) => data("POST", `${key(id)}/rotate`, { body, idempotencyKey }),
    deleteKey: (id, reason) => data("DELETE", key(id), { query: { reason } }),
    auditLogs: (query, signal) => send("GET", "/auth/orgs/audit-logs", { query, signal }),
    requestDeletion: () => data("POST", "/auth/orgs/request-delete"),
    cancelDeletion: () => data("POST", "/auth/orgs/cancel-delete"),
  };
}

async function answer(url, { signal, ...request }) {
  const limit = AbortSignal.timeout(TIMEOUT_MS);
  const either = signal ? AbortSignal.any([signal, limit]) : limit;
  try {
    return await fetch(url, {
      ...request,
      credentials: "omit",
      cache: "no-store",
      redirect: "error",
      signal: either,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw unanswered();
  }
}

async function parsed(response, signal) {
  try {
    return JSON.parse(await response.text(), exactly);
  } catch (error) {
    if (signal?.aborted) throw error;
    if (response.ok) throw unanswered(); // cut off in the middle
    return null;
  }
}

/** Keep an integer that a JavaScript number cannot hold as it was written, where the browser can (JSON.rawJSON). */
function exactly(_name, value, context) {
  const isExact = !Number.isInteger(value) || Number.isSafeInteger(value);
  return isExact || !context?.source || !JSON.rawJSON ? value : JSON.rawJSON(context.source);
}

function unanswered() {
  return new ApiError({
    status: 0,
    code: "NO_ANSWER",
    message: "The service does not answer",
    hint: "Check your connection and try again.",
  });
}

function failed(response, content) {
  const { code, message, hint, docs } = content?.error ?? {};
  const retryAfter = Number.parseInt(response.headers.get("retry-after") ?? "", 10);
  return new ApiError({
    status: response.status,
    code: code || `HTTP_${response.status}`,
    message: message || `The service answered with status ${response.status}`,
    hint: response.status === 401 ? "Sign in again." : hint || "If it fails again, contact the administrator of this service.",
    docs: docs || null,
    requestId: response.headers.get("x-request-id"),
    retryAfterSeconds: Number.isNaN(retryAfter) ? null : retryAfter,
  });
}

/** Return a new Idempotency-Key. (crypto.randomUUID is missing on pages without TLS.) */
export function newIdempotencyKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Return whether an error says that a component was removed before its request was answered. */
export function isAborted(error) {
  return error?.name === "AbortError";
}
