/** Ways to Keywright: its HTTP API, and the function that verifies keys. Each returns the same answers. */

import { apiRegion, invocationAddress } from "./addresses.js";
import type { Answer } from "./answers.js";
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
  const url = `${address}/auth/api-keys/verify`;
  return async (body) => {
    const scope = { service: "execute-api", region: apiRegion(address, region) } as const;
    return answerOf(await sendSigned(send, signer, { url, body }, scope), checkOfVerify);
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
  return answerOf(received, checkOfManagement);
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

function answerOf({ status, headers, body }: Received, check: Answer["check"]): Answer {
  return {
    status,
    body,
    check,
    requestId: headers.get("x-request-id") ?? headers.get("x-amzn-requestid") ?? undefined,
    retryAfterSeconds: secondsOf(headers.get("retry-after")),
  };
}

/** Return the answer of the function, or the failure of Lambda to invoke it, whose body is not read. */
function invocationAnswer(received: Received): Answer {
  const failure = { ...answerOf(received, checkOfInvocation), body: undefined };
  if (received.headers.has("x-amz-function-error")) return { ...failure, status: 503 }; // it crashed or timed out
  if (received.status !== 200) return failure;
  const { status, headers, data, error } = Object(received.body) as { readonly [name: string]: unknown };
  const header = (name: string): string | null => {
    const value = (Object(headers) as { readonly [name: string]: unknown })[name];
    return typeof value === "string" ? value : null;
  };
  if (!Number.isInteger(status)) return failure;
  return {
    status: status as number,
    body: { data, error },
    check: checkOfInvocation,
    requestId: header("x-request-id") ?? failure.requestId,
    retryAfterSeconds: secondsOf(header("retry-after")),
  };
}

function secondsOf(retryAfter: string | null): number | undefined {
  return retryAfter !== null && /^\d+$/.test(retryAfter) ? Number(retryAfter) : undefined;
}

const ADDRESS = "Check that the address is the stack's output ApiUrl.";

function checkOfVerify(status: number): string {
  if (status !== 401 && status !== 403) return ADDRESS;
  return (
    "Check that the AWS credentials are valid and allow execute-api:Invoke on the stack's output VerifyApiKeyArn, " +
    "and that the region is that of the API."
  );
}

function checkOfInvocation(status: number): string {
  if (status === 401 || status === 403) {
    return (
      "Check that the AWS credentials are valid and allow lambda:InvokeFunction on the stack's output " +
      "VerifyApiKeyFunctionArn."
    );
  }
  if (status === 404) return "Check the ARN: the function does not exist.";
  if (status === 503) return "Read the logs of the function: it crashed or timed out.";
  return "Check that the ARN is the stack's output VerifyApiKeyFunctionArn.";
}

function checkOfManagement(): string {
  return ADDRESS;
}
