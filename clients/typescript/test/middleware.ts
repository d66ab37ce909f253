/** What the middleware of every framework guarantees, over real connections. */

import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { createServer, request as send, type IncomingHttpHeaders, type Server } from "node:http";
import { test } from "node:test";
import { ApiConnectionError, ApiError, ConfigurationError } from "../src/errors.js";
import { Keywright } from "../src/index.js";
import type { ApiKeyOptions, Verifier } from "../src/refusals.js";
import type { Valid, Verification, VerifyOptions } from "../src/types.js";

/** Starts an application whose `/reports` is behind the middleware and answers `{"organization": ...}`. */
export type Serve = (keywright: Verifier, options?: ApiKeyOptions) => Promise<Application>;

export interface Application {
  readonly url: string;
  readonly close: () => Promise<void>;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: unknown;
}

const TEXT = "kk_text";

export const VALID: Valid = {
  valid: true,
  code: "VALID",
  id: "01a20a38-9585-719d-81cb-3b8af1c594c2",
  organizationId: "org_1",
  name: "CI",
  permissions: ["analytics:read"],
  missingPermissions: [],
  metadata: {},
  expiresAt: null,
  allowedIps: null,
  rateLimit: null,
  quota: null,
  retryAfterSeconds: null,
  leak: null,
};

/** A Keywright that always says the same, and keeps what it was asked. */
export class Answering implements Verifier {
  readonly asked: { text: string; options: VerifyOptions | undefined }[] = [];

  constructor(private readonly result: Verification | Error) {}

  async verify(text: string, options?: VerifyOptions): Promise<Verification> {
    this.asked.push({ text, options });
    if (this.result instanceof Error) {
      throw this.result;
    }
    return this.result;
  }
}

/** Return a server for a handler of Node.js, listening on a free port of this machine. */
export async function listening(server: Server): Promise<Application> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Send a request with header fields just as they are, and return the answer. */
export function get(url: string, headers: Record<string, string | string[]>): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = send(url, { headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => {
        const text = Buffer.concat(chunks).toString("utf8");
        const { statusCode: status = 0, headers: fields } = response;
        const isJson = /^application\/json\b/.test(fields["content-type"] ?? "");
        resolve({ status, headers: fields, body: isJson ? JSON.parse(text) : text });
      });
    });
    request.on("error", reject);
    request.end();
  });
}

/** Test the middleware of a framework. */
export function testMiddleware(serve: Serve): void {
  const asked = async (
    result: Verification | Error,
    headers: Record<string, string | string[]> = { "x-api-key": TEXT },
    options: ApiKeyOptions = {},
  ): Promise<Answer & Pick<Answering, "asked">> => {
    const keywright = new Answering(result);
    const application = await serve(keywright, options);
    try {
      return { ...(await get(`${application.url}/reports`, headers)), asked: keywright.asked };
    } finally {
      await application.close();
    }
  };

  test("a valid key reaches the route, which sees it", async () => {
    const { status, body, headers } = await asked(VALID);

    assert.deepEqual([status, body], [200, { organization: "org_1" }]);
    assert.deepEqual([headers.ratelimit, headers["ratelimit-policy"]], [undefined, undefined]);
  });

  test("the holder of a valid key sees what is left of its limits", async () => {
    const limited = { ...VALID, rateLimit: { limit: 60, remaining: 8, resetSeconds: 2 } };
    const { status, headers } = await asked(limited);

    assert.equal(status, 200);
    assert.equal(headers["ratelimit-policy"], '"rate";q=60');
    assert.equal(headers["ratelimit"], '"rate";r=8;t=2');
  });

  test("permissions and cost are those of the middleware", async () => {
    const { asked: calls } = await asked(VALID, { "x-api-key": TEXT }, { permissions: ["analytics:read"], cost: 3 });

    assert.deepEqual([calls[0]?.options?.permissions, calls[0]?.options?.cost], [["analytics:read"], 3]);
  });

  for (const [headers, text] of [
    [{ "x-api-key": TEXT }, TEXT],
    [{ authorization: `Bearer ${TEXT}` }, TEXT],
    [{ authorization: `bearer   ${TEXT} ` }, TEXT],
    [{ "x-api-key": TEXT, authorization: "Bearer other" }, TEXT],
    [{ "x-api-key": "", authorization: `Bearer ${TEXT}` }, TEXT],
    [{ "x-api-key": ["one", "two"] }, "one, two"],
    [{ "x-api-key": "caf\u00e9" }, "caf\u00e9"],
  ] as const) {
    test(`the key is read from ${JSON.stringify(headers)}`, async () => {
      const { asked: calls } = await asked(VALID, headers as Record<string, string | string[]>);

      assert.deepEqual(calls.map((call) => call.text), [text]);
    });
  }

  for (const headers of [
    {},
    { "x-api-key": "" },
    { authorization: "Bearer" },
    { authorization: "Bearer  " },
    { authorization: "Basic dTpw" },
  ]) {
    test(`a request with ${JSON.stringify(headers)} has no key: it is 401, and Keywright is not asked`, async () => {
      const answer = await asked(VALID, headers as Record<string, string>);

      assert.deepEqual(
        [answer.status, answer.body],
        [401, { error: { code: "UNAUTHORIZED", message: "The request has no API key" } }],
      );
      assert.equal(answer.headers["www-authenticate"], "Bearer");
      assert.deepEqual(answer.asked, []);
    });
  }

  test("a string that is too long for a key is 401, and Keywright is not asked", async () => {
    let sent = 0;
    const fetch = async (): Promise<Response> => {
      sent += 1;
      return Response.json({ message: "Request Too Long" }, { status: 413 });
    };
    const credentials = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret" };
    const keywright = new Keywright("https://api.example.com/v1", { region: "us-east-1", credentials, fetch });
    const application = await serve(keywright);
    const { status } = await get(`${application.url}/reports`, { "x-api-key": "x".repeat(8000) });
    await application.close();

    assert.deepEqual([status, sent], [401, 0]);
  });

  const notValid = { "www-authenticate": 'Bearer error="invalid_token"' };
  const refusals: [Verification, number, Record<string, string | undefined>][] = [
    [{ valid: false, code: "NOT_FOUND" }, 401, notValid],
    [{ ...VALID, valid: false, code: "EXPIRED" }, 401, notValid],
    [{ ...VALID, valid: false, code: "DISABLED" }, 401, notValid],
    [{ valid: false, code: "UNKNOWN", unknownCode: "SUSPENDED" }, 401, notValid],
    [
      { ...VALID, valid: false, code: "INSUFFICIENT_PERMISSIONS" },
      403,
      { "www-authenticate": 'Bearer error="insufficient_scope", scope="analytics:read sessions:read"' },
    ],
    [{ ...VALID, valid: false, code: "IP_NOT_ALLOWED" }, 403, { "www-authenticate": undefined }],
    [{ ...VALID, valid: false, code: "ORGANIZATION_FROZEN" }, 403, { "www-authenticate": undefined }],
    [
      {
        ...VALID,
        valid: false,
        code: "RATE_LIMITED",
        retryAfterSeconds: 7,
        rateLimit: { limit: 60, remaining: 0, resetSeconds: 60 },
      },
      429,
      { "retry-after": "7", ratelimit: '"rate";r=0;t=7', "ratelimit-policy": '"rate";q=60' },
    ],
    [
      { ...VALID, valid: false, code: "QUOTA_EXCEEDED", quota: { limit: 5, used: 5, remaining: 0, resetsAt: null } },
      429,
      { "retry-after": undefined, ratelimit: '"quota";r=0', "ratelimit-policy": '"quota";q=5' },
    ],
  ];
  for (const [verification, status, headers] of refusals) {
    test(`${verification.code} is ${status}, and does not reach the route`, async () => {
      const permissions = ["analytics:read", "sessions:read"];
      const answer = await asked(verification, { "x-api-key": TEXT }, { permissions });

      assert.equal(answer.status, status);
      for (const [name, value] of Object.entries(headers)) {
        assert.equal(answer.headers[name], value, name);
      }
      const { error } = answer.body as { error: { code: string; message: string } };
      assert.equal(error.code, status === 401 ? "UNAUTHORIZED" : verification.code);
      assert.notEqual(error.message, "");
    });
  }

  for (const [error, seconds] of [
    [new ApiConnectionError("reset", "127.0.0.1"), "1"],
    [new ApiError({ status: 503, code: "SERVICE_UNAVAILABLE", message: "Busy", retryAfterSeconds: 20 }), "20"],
    [new ApiError({ status: 503, code: "SERVICE_UNAVAILABLE", message: "Idle", retryAfterSeconds: 0 }), "0"],
    [new ApiError({ status: 429, code: "TOO_MANY_REQUESTS", message: "Busy" }), "1"],
    [new ApiError({ status: 403, code: "UNEXPECTED_ANSWER", message: "Not permitted" }), undefined],
  ] as const) {
    test(`${String(error)} is 503, and told once`, async () => {
      const told: unknown[] = [];
      const answer = await asked(error, { "x-api-key": TEXT }, { onError: (it) => told.push(it) });

      assert.deepEqual(
        [answer.status, answer.body],
        [503, { error: { code: "SERVICE_UNAVAILABLE", message: "API keys cannot be verified at the moment" } }],
      );
      assert.equal(answer.headers["retry-after"], seconds);
      assert.deepEqual(told, [error]);
    });
  }

  test("without onError one line is written, with the reason and the id of the request, never the key", async (t) => {
    const write = t.mock.method(console, "error", () => undefined);
    const parts = { status: 503, code: "SERVICE_UNAVAILABLE", message: "Busy", requestId: "req-1" };
    await asked(new ApiError(parts));

    assert.deepEqual(
      write.mock.calls.map((call) => call.arguments),
      [["API key not verified: SERVICE_UNAVAILABLE (503): Busy. [x-request-id req-1]"]],
    );
  });

  test("a missing configuration is 500: it is a defect of the deployment", async () => {
    const told: unknown[] = [];
    const onError = (error: unknown) => told.push(error);
    const answer = await asked(new ConfigurationError("no region"), { "x-api-key": TEXT }, { onError });

    assert.deepEqual([answer.status, told], [500, []]);
  });

  test("a Keywright that cannot be reached is 503, and the key is not written", async (t) => {
    const write = t.mock.method(console, "error", () => undefined);
    const closed = await listening(createServer());
    await closed.close();
    const credentials = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret" };
    const keywright = new Keywright(closed.url, { region: "us-east-1", credentials, retries: 0 });
    const application = await serve(keywright);
    const { status } = await get(`${application.url}/reports`, { "x-api-key": TEXT });
    await application.close();

    assert.equal(status, 503);
    assert.equal(write.mock.callCount(), 1);
    assert.match(String(write.mock.calls[0]?.arguments[0]), /^API key not verified: ApiConnectionError: /);
    assert.doesNotMatch(String(write.mock.calls[0]?.arguments[0]), new RegExp(TEXT));
  });
}
