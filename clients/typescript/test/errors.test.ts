import assert from "node:assert/strict";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";

import { ApiConnectionError, ApiError, ConfigurationError, Keywright, KeywrightError } from "../src/index.js";
import { ID, KEY, OPTIONS, VALID } from "./support/samples.js";
import { data, failure, reset, serve, silence, type Reply } from "./support/server.js";

const NO_RETRIES = { ...OPTIONS, retries: 0 };

async function errorOf(t: TestContext, reply: Reply, options: object = {}): Promise<unknown> {
  const { url } = await serve(t, reply);
  return new Keywright(url, { ...NO_RETRIES, ...options }).verify(KEY).catch((error: unknown) => error);
}

test("an error of Keywright has its parts, the id of the request and the pause", async (t) => {
  const error = await errorOf(t, failure(503, "SERVICE_UNAVAILABLE", { "retry-after": "7" }));

  assert.ok(error instanceof ApiError);
  assert.deepEqual(
    { ...error, message: error.message },
    {
      status: 503,
      code: "SERVICE_UNAVAILABLE",
      message: "Message of SERVICE_UNAVAILABLE",
      hint: "A hint.",
      docs: "https://api.example.com/v1/docs#SERVICE_UNAVAILABLE",
      requestId: "request-1",
      retryAfterSeconds: 7,
    },
  );
});

test("an error of Keywright reads as one line, in text and at the top of its stack", async (t) => {
  const error = await errorOf(t, failure(400, "BAD_REQUEST"));
  const line = "BAD_REQUEST (400): Message of BAD_REQUEST. A hint. [x-request-id request-1]";

  assert.ok(error instanceof ApiError);
  assert.equal(String(error), line);
  assert.equal(error.stack?.split("\n")[0], `ApiError: ${line}`);
});

test("an error without a hint and an id reads without them", () => {
  assert.equal(String(new ApiError({ status: 418, code: "TEAPOT", message: "No coffee" })), "TEAPOT (418): No coffee.");
});

test("errors have their class as name, and one base", () => {
  const errors = [
    new ApiError({ status: 418, code: "TEAPOT", message: "No coffee" }),
    new ApiConnectionError("closed", "api.example.com"),
    new ConfigurationError("no region"),
  ];

  assert.deepEqual(
    errors.map(({ name }) => name),
    ["ApiError", "ApiConnectionError", "ConfigurationError"],
  );
  assert.ok(errors.every((error) => error instanceof KeywrightError && error instanceof Error));
});

test("a refusal by IAM, whose strings are empty, names the permission that is missing", async (t) => {
  const error = await errorOf(t, {
    status: 403,
    body: { data: null, error: { code: "", message: "", hint: "", docs: "" } },
    headers: { "x-amzn-errortype": "AccessDeniedException:http://internal.amazon.com/" },
  });

  assert.ok(error instanceof ApiError);
  assert.deepEqual(
    [error.code, error.message, error.hint],
    [
      "UNEXPECTED_ANSWER",
      "The AWS credentials may not call this API (AccessDeniedException)",
      "Allow execute-api:Invoke on the stack's output VerifyApiKeyArn, and check the AWS credentials and region.",
    ],
  );
});

for (const [status, message, hint] of [
  [200, "The answer is not from Keywright", "Check the address: it must be the stack's output ApiUrl."],
  [401, "The answer is not from Keywright", "Check the address: it must be the stack's output ApiUrl."],
  [404, "The answer is not from Keywright", "Check the address: it must be the stack's output ApiUrl."],
  [302, "The address redirects, which is not followed", "Check the address: it must be the stack's output ApiUrl."],
  [429, "AWS answered in place of Keywright", "Repeat the request later."],
  [502, "AWS answered in place of Keywright", "Repeat the request later."],
] as const) {
  test(`an answer of ${status} that is not of Keywright is explained, and not shown`, async (t) => {
    const error = await errorOf(t, { status, body: "<html>internal.example.com</html>" });

    assert.ok(error instanceof ApiError);
    assert.equal(String(error), `UNEXPECTED_ANSWER (${status}): ${message}. ${hint} [x-request-id request-1]`);
  });
}

test("a result that is malformed says where, and not what it is", async (t) => {
  const error = await errorOf(t, data({ ...VALID, metadata: { plan: null } }));

  assert.ok(error instanceof ApiError);
  assert.equal(error.message, "The answer is not from Keywright (data.metadata)");
});

test("a session token that is refused before Keywright reads it is not a matter of AWS credentials", async (t) => {
  const { url } = await serve(t, { status: 403, body: { message: "Forbidden" } });

  await assert.rejects(new Keywright(url, NO_RETRIES).get(ID), {
    code: "UNEXPECTED_ANSWER",
    message: "The request was refused before it reached Keywright",
    hint: "Check the address, and the firewall in front of it.",
  });
});

for (const [name, headers, id] of [
  ["of Keywright", { "x-request-id": "one", "x-amzn-requestid": "two" }, "one"],
  ["of Lambda", { "x-request-id": "", "x-amzn-requestid": "two", "apigw-requestid": "three" }, "two"],
  ["of API Gateway", { "x-request-id": "", "apigw-requestid": "three" }, "three"],
] as const) {
  test(`an error has the id ${name}`, async (t) => {
    const error = await errorOf(t, { ...(failure(400, "BAD_REQUEST") as object), headers });

    assert.ok(error instanceof ApiError);
    assert.equal(error.requestId, id);
  });
}

test("a pause of more than nine digits is ignored", async (t) => {
  const error = await errorOf(t, failure(400, "BAD_REQUEST", { "retry-after": "9".repeat(400) }));

  assert.ok(error instanceof ApiError);
  assert.equal(error.retryAfterSeconds, undefined);
});

test("a redirect is not followed", async (t) => {
  const target = await serve(t, data(VALID));

  const error = await errorOf(t, { status: 307, headers: { location: target.url } });

  assert.ok(error instanceof ApiError);
  assert.equal(error.status, 307);
  assert.deepEqual(target.requests, []);
});

test("a time limit names itself and the host", async (t) => {
  const { url } = await serve(t, silence);
  const client = new Keywright(url, { ...NO_RETRIES, timeoutSeconds: 0.05 });

  await assert.rejects(client.verify(KEY), {
    name: "ApiConnectionError",
    message: `No answer from ${new URL(url).host}: timed out after 0.05 s`,
    reason: "timed out after 0.05 s",
    host: new URL(url).host,
  });
});

test("the time limit also ends an answer that does not", async (t) => {
  const error = await errorOf(t, (response) => void response.writeHead(200).write("{"), { timeoutSeconds: 0.05 });

  assert.ok(error instanceof ApiConnectionError);
  assert.match(error.message, /timed out after 0.05 s$/);
});

test("a closed connection names itself", async (t) => {
  const error = await errorOf(t, reset);

  assert.ok(error instanceof ApiConnectionError);
  assert.match(error.message, /^No answer from 127\.0\.0\.1:\d+: the connection was closed \(\w+\)$/);
});

test("a refused connection names itself", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));

  await assert.rejects(new Keywright(`http://127.0.0.1:${port}`, NO_RETRIES).verify(KEY), {
    name: "ApiConnectionError",
    message: `No answer from 127.0.0.1:${port}: the connection was refused (ECONNREFUSED)`,
  });
});

for (const [failureOfRuntime, shown] of [
  [new TypeError("fetch failed", { cause: { code: "ENOTFOUND" } }), "the name cannot be resolved (ENOTFOUND)"],
  [new TypeError("fetch failed", { cause: { code: "EAI_AGAIN" } }), "the name cannot be resolved (EAI_AGAIN)"],
  [new TypeError("fetch failed", { cause: { code: "CERT_HAS_EXPIRED" } }), "TLS failed (CERT_HAS_EXPIRED)"],
  [
    new TypeError("fetch failed", { cause: { code: "UND_ERR_CONNECT_TIMEOUT" } }),
    "the connection timed out (UND_ERR_CONNECT_TIMEOUT)",
  ],
  [
    new TypeError("fetch failed", {
      cause: new AggregateError([Object.assign(new Error(), { code: "ECONNREFUSED" })]),
    }),
    "the connection was refused (ECONNREFUSED)",
  ],
  [
    new TypeError(`error sending ${KEY}: tcp connect error: Connection refused (os error 111)`),
    "the connection was refused",
  ],
  [new TypeError(`error sending ${KEY}: dns error: no such host`), "the name cannot be resolved"],
  [new TypeError(`error sending ${KEY}: invalid peer certificate: UnknownIssuer`), "TLS failed"],
  [new Error("Network connection lost."), "the connection was closed"],
  [new TypeError(`error sending ${KEY}`), "the connection failed"],
  [Object.assign(new Error(), { code: KEY, name: KEY }), "the connection failed"],
  [KEY, "the connection failed"],
] as const) {
  test(`a failure of the runtime reads "${shown}", without its own text`, async () => {
    const client = new Keywright("https://api.example.com/v1", {
      ...NO_RETRIES,
      fetch: () => Promise.reject(failureOfRuntime),
    });

    await assert.rejects(client.verify(KEY), { name: "ApiConnectionError", reason: shown });
  });
}
