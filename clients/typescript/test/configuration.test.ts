import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";

import { Keywright, type KeywrightOptions } from "../src/index.js";
import { environment } from "./support/environment.js";
import { ARN, CREDENTIALS, ID, KEY, VALID } from "./support/samples.js";

/** Return the address and the headers of a verification, which no server gets. */
async function sent(target: ConstructorParameters<typeof Keywright>[0], options: KeywrightOptions = {}) {
  let request: { url: string; headers: Headers } | undefined;
  const fetch: typeof globalThis.fetch = async (url, init) => {
    request = { url: String(url), headers: new Headers(init?.headers) };
    return Response.json({ status: 200, data: VALID, error: null });
  };
  await new Keywright(target, { credentials: CREDENTIALS, ...options, fetch }).verify(KEY);
  assert.ok(request);
  return {
    url: request.url,
    scope: request.headers.get("authorization")?.split(/[ ,]/)[1]?.split("/").slice(2).join("/"),
  };
}

function withoutEnvironment(name: string, body: (t: TestContext) => void | Promise<void>): void {
  test(name, async (t) => {
    environment(t);
    await body(t);
  });
}

withoutEnvironment("slashes at the end of the address do not matter", async () => {
  const { url } = await sent("https://api.example.com/v1//", { region: "eu-west-1" });

  assert.equal(url, "https://api.example.com/v1/auth/api-keys/verify");
});

withoutEnvironment("the address can be a URL object", async () => {
  const { url } = await sent(new URL("https://api.example.com/v1"), { region: "eu-west-1" });

  assert.equal(url, "https://api.example.com/v1/auth/api-keys/verify");
});

for (const [host, region] of [
  ["abc123.execute-api.us-west-2.amazonaws.com", "us-west-2"],
  ["abc123.execute-api.cn-north-1.amazonaws.com.cn", "cn-north-1"],
]) {
  withoutEnvironment(`the region of ${host} is in its name`, async () => {
    assert.equal((await sent(`https://${host}/v1`)).scope, `${region}/execute-api/aws4_request`);
  });
}

test("a region that is passed comes first", async (t) => {
  environment(t, { AWS_REGION: "eu-north-1" });

  const { scope } = await sent("https://abc.execute-api.us-west-2.amazonaws.com/v1", { region: "eu-west-1" });

  assert.equal(scope, "eu-west-1/execute-api/aws4_request");
});

for (const [variables, region] of [
  [{ AWS_REGION: "eu-north-1", AWS_DEFAULT_REGION: "eu-south-1" }, "eu-north-1"],
  [{ AWS_DEFAULT_REGION: "eu-south-1" }, "eu-south-1"],
] as const) {
  test(`a domain of your own is in the region ${region} of ${Object.keys(variables)[0]}`, async (t) => {
    environment(t, variables);

    assert.equal((await sent("https://api.example.com/v1")).scope, `${region}/execute-api/aws4_request`);
  });
}

withoutEnvironment("a host that only looks like API Gateway has no region", async () => {
  await assert.rejects(sent("https://abc.execute-api.us-west-2.amazonaws.com.example.com/v1"), {
    name: "ConfigurationError",
    message: "no region: pass region, or set AWS_REGION",
  });
});

withoutEnvironment("Lambda is called in the region of the ARN", async () => {
  const { url, scope } = await sent({ function: ARN });

  assert.equal(new URL(url).origin, "https://lambda.eu-west-1.amazonaws.com");
  assert.equal(scope, "eu-west-1/lambda/aws4_request");
});

withoutEnvironment("Lambda in China has its own domain", async () => {
  const { url } = await sent({ function: "arn:aws-cn:lambda:cn-north-1:123456789012:function:verify:live" });

  assert.equal(new URL(url).host, "lambda.cn-north-1.amazonaws.com.cn");
});

test("the endpoint of Lambda comes before that of all services", async (t) => {
  environment(t, { AWS_ENDPOINT_URL: "http://127.0.0.1:1", AWS_ENDPOINT_URL_LAMBDA: "https://lambda.example.com/" });

  assert.equal(new URL((await sent({ function: ARN })).url).origin, "https://lambda.example.com");
});

test("an endpoint that is not a URL is refused with what one looks like", (t) => {
  environment(t, { AWS_ENDPOINT_URL: "lambda.example.com" });

  assert.throws(() => new Keywright({ function: ARN }), {
    name: "ConfigurationError",
    message: "AWS_ENDPOINT_URL must be a URL such as https://HOST",
  });
});

test("an endpoint in clear text that is not of this machine is refused", (t) => {
  environment(t, { AWS_ENDPOINT_URL: "http://lambda.example.com" });

  assert.throws(() => new Keywright({ function: ARN }), {
    name: "ConfigurationError",
    message: "AWS_ENDPOINT_URL must begin with https://: keys must not travel in clear text",
  });
});

for (const address of [
  "http://localhost:8787/v1",
  "http://127.0.0.1/v1",
  "http://127.9.8.7/v1",
  "http://[::1]:80/v1",
]) {
  withoutEnvironment(`${address} is of this machine, and may be in clear text`, () => {
    assert.ok(new Keywright(address));
  });
}

for (const [address, problem] of [
  ["http://api.example.com/v1", /keys must not travel in clear text/],
  ["http://api.localhost/v1", /keys must not travel in clear text/],
  ["http://localhost./v1", /keys must not travel in clear text/],
  ["http://[::2]/v1", /keys must not travel in clear text/],
  ["https://api.example.com/v1?", /must not have a user, a query/],
  ["https://api.example.com/v1#", /must not have a user, a query or a fragment/],
  ["http://127.0.0.1.example.com/v1", /keys must not travel in clear text/],
  ["ftp://api.example.com/v1", /begin with https/],
  ["https://ada@api.example.com/v1", /must not have a user/],
  ["https://:secret@api.example.com/v1", /must not have a user/],
  ["https://api.example.com/v1?stage=prod", /must not have a user, a query/],
  ["https://api.example.com/v1#docs", /must not have a user, a query or a fragment/],
  ["api.example.com", /^the address must be a URL such as https:\/\/HOST\/v1, the stack's output ApiUrl$/],
  ["", /^the address must be a URL such as https:\/\/HOST\/v1, the stack's output ApiUrl$/],
  [undefined, /^the address must be a URL such as https:\/\/HOST\/v1, the stack's output ApiUrl$/],
  [null, /^the address must be a URL such as https:\/\/HOST\/v1, the stack's output ApiUrl$/],
] as const) {
  withoutEnvironment(`the address ${JSON.stringify(address)} is refused`, () => {
    assert.throws(() => new Keywright(address as never), { name: "ConfigurationError", message: problem });
  });
}

for (const [target, problem] of [
  [{}, "pass exactly one of an address and function, as the first argument; both are missing"],
  [{ function: undefined }, "pass exactly one of an address and function, as the first argument; both are missing"],
  [{ url: "https://api.example.com/v1" }, "unknown option url: pass the address as the first argument"],
  [{ function: ARN, url: "https://api.example.com/v1" }, "unknown option url: pass the address as the first argument"],
  [{ function: ARN, tokens: "a" }, "unknown option tokens"],
  [{ function: "VerifyApiKey" }, /is not the ARN of a function/],
  [{ function: "arn:aws:execute-api:us-east-1:123456789012:abc/v1/POST" }, /is not the ARN of a function/],
  [{ function: ARN, region: "us-east-1" }, /region differs/],
] as const) {
  withoutEnvironment(`${JSON.stringify(target)} is refused`, () => {
    assert.throws(() => new Keywright(target as never), { name: "ConfigurationError", message: problem });
  });
}

for (const [options, problem] of [
  [{ function: ARN }, "pass exactly one of an address and function, as the first argument, once"],
  [{ Token: "a" }, "unknown option Token"],
  [{ timeout: 5, retry: 2 }, "unknown options timeout, retry"],
] as const) {
  withoutEnvironment(`with an address, ${JSON.stringify(options)} is refused`, () => {
    assert.throws(() => new Keywright("https://api.example.com/v1", options as never), {
      name: "ConfigurationError",
      message: problem,
    });
  });
}

withoutEnvironment("a function is named in the first argument only", () => {
  assert.throws(() => new Keywright({ function: ARN }, { function: ARN } as never), {
    name: "ConfigurationError",
    message: "pass exactly one of an address and function, as the first argument, once",
  });
});

withoutEnvironment("options that are undefined are as if they were omitted", () => {
  assert.ok(new Keywright("https://api.example.com/v1", { token: undefined, function: undefined } as never));
});

for (const [options, type] of [
  [{ timeoutSeconds: 0 }, RangeError],
  [{ timeoutSeconds: Number.POSITIVE_INFINITY }, RangeError],
  [{ timeoutSeconds: 900.001 }, RangeError],
  [{ timeoutSeconds: "5" }, TypeError],
  [{ retries: -1 }, RangeError],
  [{ retries: 1.5 }, RangeError],
  [{ retries: 11 }, RangeError],
  [{ reuseSeconds: 3601 }, RangeError],
  [{ reuseEntries: 0 }, RangeError],
  [{ reuseEntries: 10_000_001 }, RangeError],
  [{ fetch: "https" }, TypeError],
] as const) {
  withoutEnvironment(`the options ${JSON.stringify(options)} are refused`, () => {
    assert.throws(() => new Keywright("https://api.example.com/v1", options as never), type);
  });
}

for (const [name, call] of [
  ["reading a key", (client: Keywright) => client.get(ID)],
  ["deleting a key", (client: Keywright) => client.delete(ID)],
] as const) {
  withoutEnvironment(`${name} needs a token`, async () => {
    await assert.rejects(call(new Keywright("https://api.example.com/v1")), {
      name: "ConfigurationError",
      message: "no token: pass token to manage keys",
    });
  });
}

test("variables are read from the environment of the runtime", async (t) => {
  const before = process.env["AWS_REGION"];
  process.env["AWS_REGION"] = "ap-south-1";
  t.after(() => (before === undefined ? delete process.env["AWS_REGION"] : (process.env["AWS_REGION"] = before)));

  assert.equal((await sent("https://api.example.com/v1")).scope, "ap-south-1/execute-api/aws4_request");
});
