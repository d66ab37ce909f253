/** Ways to Keywright: its HTTP API, and the function that verifies keys. Each returns the same answers. */

import { apiRegion, invocationAddress } from "./addresses.js";
import type { Answer, Way } from "./answers.js";
import type { Received, Send } from "./http.js";
import type { Scope, Signed, Signer, Unsigned } from "./signing.js";

/** A way to verify keys: takes the body of the request, makes one attempt. */
export type Verify = (body: string) => Promise<Answer>;

/** A request with a session token. */
export interface ManagementRequest {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  readonly path: string;
  readonly query?: URLSearchParams;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Return a way to verify keys with the HTTP API at `address`. It raises ConfigurationError without a region. */
export function httpVerify(send: Send, signer: Signer, address: string, region: string | undefined): Verify {
  return signed(send, signer, { address, path: "/auth/api-keys/verify", region, way: "signed" });
}

/** Return a way to verify batches of keys, as `httpVerify` does single keys. */
export function httpVerifyBatch(send: Send, signer: Signer, address: string, region: string | undefined): Verify {
  return signed(send, signer, { address, path: "/auth/api-keys/verify-batch", region, way: "batch" });
}

interface SignedRoute {
  readonly address: string;
  readonly path: string;
  readonly region: string | undefined;
  readonly way: Way;
}

function signed(send: Send, signer: Signer, { address, path, region, way }: SignedRoute): Verify {
  const url = `${address}${path}`;
  return async (body) => {
    const scope = { service: "execute-api", region: apiRegion(address, region) } as const;
    return answerOf(await sendSigned(send, signer, { url, body }, scope), way);
  };
}

/** Return a way to verify keys with the function of this ARN. */
export function directVerify(send: Send, signer: Signer, arn: string, region: string): Verify {
  const url = invocationAddress(arn, region);
  const headers = { "x-amz-invocation-type": "RequestResponse" };
  return async (body) => {
    const received = await sendSigned(send, signer, { url, body, headers }, { service: "lambda", region });
    return invocationAnswer(received);
  };
}

/** Make one attempt of a request with a session token. */
export async function manage(
  send: Send,
  address: string,
  token: string,
  { method, path, query, body, headers }: ManagementRequest,
): Promise<Answer> {
  const search = String(query ?? "");
  const received = await send(`${address}${path}${search && `?${search}`}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    },
    ...(body === undefined ? {} : { body }),
  });
  return answerOf(received, "token");
}

/** Send a signed request; if it is refused because the clock is wrong, once more by the clock of the server. */
async function sendSigned(send: Send, signer: Signer, request: Unsigned, scope: Scope): Promise<Received> {
  const attempt = async ({ headers }: Signed): Promise<Received> =>
    send(request.url, { method: "POST", headers, body: request.body });
  const signed = await signer.sign(request, scope);
  const received = await attempt(signed);
  const refused = received.status === 401 || received.status === 403;
  if (!refused || !signer.correctClock(received.headers.get("date"), signed.signedAt)) return received;
  return attempt(await signer.sign(request, scope));
}

function answerOf({ status, headers, body }: Received, way: Way): Answer {
  return {
    status,
    body,
    way,
    errorType: /^[A-Za-z0-9]{1,64}/.exec(headers.get("x-amzn-errortype") ?? "")?.[0],
    requestId: REQUEST_IDS.map((name) => headers.get(name)).find(Boolean) ?? undefined,
    retryAfterSeconds: secondsOf(headers.get("retry-after")),
  };
}

const REQUEST_IDS = ["x-request-id", "x-amzn-requestid", "apigw-requestid"];

/** Return the answer of the function, or the failure of Lambda to invoke it, whose body is not read. */
function invocationAnswer(received: Received): Answer {
  const failure: Answer = { ...answerOf(received, "lambda"), body: undefined };
  if (received.status !== 200) return failure;
  if (received.headers.has("x-amz-function-error")) return { ...failure, status: 503, body: ENDED };
  const { status, headers, data, error } = Object(received.body) as { readonly [name: string]: unknown };
  const header = (name: string): string | null => {
    const value = (Object(headers) as { readonly [name: string]: unknown })[name];
    return typeof value === "string" ? value : null;
  };
  if (!Number.isInteger(status)) return failure;
  return {
    ...failure,
    status: status as number,
    body: { data, error },
    requestId: header("x-request-id") ?? failure.requestId,
    retryAfterSeconds: secondsOf(header("retry-after")),
  };
}

/** The answer in place of a function that crashed or timed out. */
const ENDED = {
  data: null,
  error: {
    code: "SERVICE_UNAVAILABLE",
    message: "The function ended with an error or a time-out",
    hint: "Look for the request id in the function's log.",
  },
};

function secondsOf(retryAfter: string | null): number | undefined {
  return retryAfter !== null && /^\d{1,9}$/.test(retryAfter) ? Number(retryAfter) : undefined;
}
