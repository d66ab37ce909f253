import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";

import { ApiError, Keywright } from "../src/index.js";
import { environment } from "./support/environment.js";
import { ARN, CREDENTIALS, ID, KEY, VALID } from "./support/samples.js";
import { serve, type Reply, type Server } from "./support/server.js";
import { pauses } from "./support/time.js";

const ANSWERED: Reply = answered(200, VALID, null);

/** Reply as Lambda does when the function has answered. */
function answered(status: number, data: unknown, error: unknown, headers: Record<string, string> = {}): Reply {
  const body = { status, headers: { "x-request-id": "request-of-the-function", ...headers }, data, error };
  return { body, headers: { "x-amzn-requestid": "request-of-lambda" } };
}

async function lambda(t: TestContext, ...replies: [Reply, ...Reply[]]): Promise<Server & { client: Keywright }> {
  const server = await serve(t, ...replies);
  environment(t, { AWS_ENDPOINT_URL: new URL(server.url).origin });
  return { ...server, client: new Keywright({ function: ARN, credentials: CREDENTIALS }) };
}

test("the function is invoked with the same object as the HTTP API", async (t) => {
  const { client, requests } = await lambda(t, ANSWERED);

  assert.deepEqual(await client.verify(KEY, { cost: 2 }), VALID);
  assert.deepEqual(
    [requests[0]?.method, requests[0]?.path, JSON.parse(requests[0]?.body ?? "")],
    ["POST", `/2015-03-31/functions/${encodeURIComponent(ARN)}/invocations`, { key: KEY, cost: 2 }],
  );
});

test("the invocation waits for the answer, and is signed for Lambda in the region of the ARN", async (t) => {
  const { client, requests } = await lambda(t, ANSWERED);

  await client.verify(KEY);

  assert.equal(requests[0]?.headers["x-amz-invocation-type"], "RequestResponse");
  assert.match(requests[0]?.headers.authorization ?? "", /\/eu-west-1\/lambda\/aws4_request/);
});

test("options can follow the ARN", async (t) => {
  const { url } = await lambda(t, ANSWERED);

  const client = new Keywright({ function: ARN }, { credentials: CREDENTIALS });

  assert.ok(url);
  assert.equal((await client.verify(KEY)).valid, true);
});

test("an error of the function is that of the HTTP API, with the id of its request", async (t) => {
  const error = { code: "BAD_REQUEST", message: "key is missing", hint: "Add it.", docs: "/v1/docs#BAD_REQUEST" };
  const { client } = await lambda(t, answered(400, null, error));

  await assert.rejects(client.verify(KEY), { ...error, status: 400, requestId: "request-of-the-function" });
});

test("an unavailable service is tried again after the pause that it asks for", async (t) => {
  const taken = pauses(t);
  const error = { code: "SERVICE_UNAVAILABLE", message: "Unavailable", hint: "Wait.", docs: "/v1/docs" };
  const { client } = await lambda(t, answered(503, null, error, { "retry-after": "1" }), ANSWERED);

  assert.equal((await client.verify(KEY)).valid, true);
  assert.deepEqual(taken, [1100]);
});

for (const [name, reply] of Object.entries<Reply>({
  "throttled by Lambda": { status: 429, body: { Type: "User" }, headers: { "retry-after": "0" } },
  "lost in Lambda": { status: 500, body: { Type: "Service" } },
  "ended by a crash": { body: { errorMessage: "boom" }, headers: { "x-amz-function-error": "Unhandled" } },
})) {
  test(`an invocation that is ${name} is tried again`, async (t) => {
    pauses(t);
    const { client, requests } = await lambda(t, reply, ANSWERED);

    assert.equal((await client.verify(KEY)).valid, true);
    assert.equal(requests.length, 2);
  });
}

test("a function that crashes is an unavailable service, and what it says is not shown", async (t) => {
  pauses(t);
  const ids = { "x-request-id": "", "x-amzn-requestid": "request-of-lambda" };
  const headers = { "x-amz-function-error": "Unhandled", ...ids };
  const { client } = await lambda(t, { body: { errorMessage: KEY }, headers });

  const error = await client.verify(KEY).catch((reason: unknown) => reason);

  assert.ok(error instanceof ApiError);
  assert.equal(
    String(error),
    "SERVICE_UNAVAILABLE (503): The function ended with an error or a time-out. " +
      "Look for the request id in the function's log. [x-request-id request-of-lambda]",
  );
  assert.doesNotMatch(String(error.stack), new RegExp(KEY));
});

const CHECK_FUNCTION = "Check function: it must be the ARN of the stack's VerifyApiKey function.";

for (const [status, type, message, hint] of [
  [400, "InvalidRequestContentException", "Lambda refused the invocation", "Check function and region."],
  [
    403,
    "AccessDeniedException",
    "The AWS credentials may not invoke the function",
    "Allow lambda:InvokeFunction on the function, and check the AWS credentials and region.",
  ],
  [404, "ResourceNotFoundException", "The function does not exist", CHECK_FUNCTION],
] as const) {
  test(`a ${status} of Lambda says what to check, and is final`, async (t) => {
    const reply = { status, body: { Message: "secret details" }, headers: { "x-amzn-errortype": type } };
    const { client, requests } = await lambda(t, reply);

    await assert.rejects(client.verify(KEY), { code: "UNEXPECTED_ANSWER", message: `${message} (${type})`, hint });
    assert.equal(requests.length, 1);
  });
}

test("a function that is not Keywright's says what to check", async (t) => {
  const { client } = await lambda(t, { body: { statusCode: 200, body: "{}" } });

  await assert.rejects(client.verify(KEY), {
    message: "The function does not answer as Keywright",
    hint: CHECK_FUNCTION,
  });
});

for (const [name, body] of Object.entries({
  "the payload of another function": { statusCode: 200, body: "{}" },
  "a result without a status": { data: VALID, error: null },
  "a result with an error's status": { status: 500.5, data: VALID, error: null },
  nothing: null,
  "a contradiction": { status: 200, headers: null, data: { ...VALID, code: "EXPIRED" }, error: null },
})) {
  test(`${name} admits no key`, async (t) => {
    const { client } = await lambda(t, { body });

    await assert.rejects(client.verify(KEY), { name: "ApiError", code: "UNEXPECTED_ANSWER", status: 200 });
  });
}

test("keys cannot be managed through the function", async (t) => {
  const { client, requests } = await lambda(t, ANSWERED);

  await assert.rejects(client.get(ID), { name: "ConfigurationError" });
  assert.deepEqual(requests, []);
});
