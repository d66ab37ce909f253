import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";

import { Keywright } from "../src/index.js";
import { ARN, CREDENTIALS, DETAILS, ID, KEY, OPTIONS, TOKEN, VALID } from "./support/samples.js";
import { data, failure, reset, serve, silence, type Reply } from "./support/server.js";

const SESSION = "session-token-of-aws";
const SECRETS = [KEY, TOKEN, CREDENTIALS.secretAccessKey, SESSION];

/** Return everything that a log could show of a value. */
function shown(value: unknown): string {
  const texts = [inspect(value, { depth: 20, showHidden: true, getters: true }), String(value), JSON.stringify(value)];
  return value instanceof Error ? [...texts, value.stack, shown(value.cause)].join("\n") : texts.join("\n");
}

function assertNoSecret(value: unknown): void {
  for (const secret of SECRETS) assert.ok(!shown(value).includes(secret), shown(value));
}

/** Return what a promise is rejected with. */
async function reasonOf(promise: Promise<unknown> | undefined): Promise<unknown> {
  return promise?.then(
    () => assert.fail("it succeeded"),
    (reason: unknown) => reason,
  );
}

const CALLS: Readonly<Record<string, (client: Keywright) => Promise<unknown>>> = {
  verify: (client) => client.verify(KEY),
  verifyBatch: (client) => client.verifyBatch([KEY, { key: KEY }]),
  create: (client) => client.create({ name: "CI", permissions: ["a:read"] }),
  rotate: (client) => client.rotate(ID),
  get: (client) => client.get(ID),
};

const FAILURES: Readonly<Record<string, Reply>> = {
  "an error": failure(403, "FORBIDDEN"),
  "an answer that repeats the request": (response, { headers, body }) =>
    void response.writeHead(500).end(JSON.stringify(headers) + body),
  "a malformed result": data({ id: 7, key: KEY, valid: true, code: KEY, metadata: { [KEY]: KEY } }),
  "a closed connection": reset,
  "no answer": silence,
  "a redirect": { status: 302, headers: { location: `https://api.example.com/?key=${KEY}` } },
};

for (const [method, call] of Object.entries(CALLS)) {
  for (const [name, reply] of Object.entries(FAILURES)) {
    test(`the error of ${method} after ${name} shows no secret`, async (t) => {
      const { url } = await serve(t, reply);
      const credentials = { ...CREDENTIALS, sessionToken: SESSION };
      const client = new Keywright(url, { ...OPTIONS, credentials, retries: 0, timeoutSeconds: 0.2 });

      const error = await reasonOf(call(client));

      assertNoSecret(error);
    });
  }
}

test("an error of the runtime that repeats the request is not passed on", async () => {
  const client = new Keywright("https://api.example.com/v1", {
    ...OPTIONS,
    retries: 0,
    fetch: async (url, init) => {
      throw Object.assign(new Error(`${String(init?.body)}`, { cause: { url, init, code: `${KEY}!` } }), { name: KEY });
    },
  });

  const error = await reasonOf(client.verify(KEY));

  assertNoSecret(error);
  assert.equal((error as Error).cause, undefined);
});

for (const [name, options, call] of [
  ["a token in two lines", { token: `${TOKEN}\n` }, CALLS["get"]],
  [
    "a secret access key in two lines",
    { credentials: { ...CREDENTIALS, secretAccessKey: `${CREDENTIALS.secretAccessKey}\n` } },
    CALLS["verify"],
  ],
  [
    "a session token of AWS in two lines",
    { credentials: { ...CREDENTIALS, sessionToken: `${SESSION}\n${SESSION}` } },
    CALLS["verify"],
  ],
] as const) {
  test(`${name}, which runtimes would show, is refused before`, async (t) => {
    const { url, requests } = await serve(t, data(VALID));

    const error = await reasonOf(call?.(new Keywright(url, { ...OPTIONS, ...options })));

    assert.equal((error as Error).name, "ConfigurationError");
    assertNoSecret(error);
    assert.deepEqual(requests, []);
  });
}

for (const target of ["https://api.example.com/v1", { function: ARN }]) {
  test(`a client of ${JSON.stringify(target)} shows no secret`, () => {
    assertNoSecret(new Keywright(target, { ...OPTIONS, region: undefined, reuseSeconds: 10 }));
  });
}

test("a client that keeps answers for reuse shows no secret", async (t) => {
  const { url } = await serve(t, data(VALID));
  const client = new Keywright(url, { ...OPTIONS, reuseSeconds: 10 });

  await client.verify(KEY);

  assertNoSecret(client);
});

test("inspecting a new key hides its text, which its JSON has", async (t) => {
  const { url } = await serve(
    t,
    data({ id: ID, key: KEY }),
    data({ id: ID, key: KEY, apiKey: DETAILS, previousKeyExpiresAt: null }),
  );
  const client = new Keywright(url, OPTIONS);

  for (const result of [await client.create({ name: "CI", permissions: ["a:read"] }), await client.rotate(ID)]) {
    assert.match(inspect(result), /key: '\[hidden\]'/);
    assert.equal((JSON.parse(JSON.stringify(result)) as { key: string }).key, KEY);
  }
});
