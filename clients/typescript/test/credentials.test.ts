import assert from "node:assert/strict";
import { test } from "node:test";

import { ApiConnectionError, Keywright, type AwsCredentials } from "../src/index.js";
import { environment } from "./support/environment.js";
import { CREDENTIALS, KEY, VALID } from "./support/samples.js";
import { data, serve } from "./support/server.js";
import { clocks, pauses } from "./support/time.js";

const HOUR = 3_600_000;

/** Return credentials that are numbered, and expire an hour after `now`. */
function numbered(number: number, now = Date.parse("2026-01-01T00:00:00Z")): AwsCredentials {
  return { ...CREDENTIALS, accessKeyId: `AKID${number}`, expiration: new Date(now + HOUR) };
}

/** Return a client whose credentials count how often they were asked for, and the access keys that the server saw. */
async function counted(
  t: Parameters<typeof serve>[0],
  source: (asked: number) => AwsCredentials | Promise<AwsCredentials>,
) {
  const { url, requests } = await serve(t, data(VALID));
  let asked = 0;
  const client = new Keywright(url, { region: "us-east-1", credentials: () => source(++asked) });
  return {
    client,
    used: () => requests.map(({ headers }) => /Credential=(\w+)/.exec(headers.authorization ?? "")?.[1]),
    asked: () => asked,
  };
}

test("credentials of the environment are read at each call", async (t) => {
  const { url, requests } = await serve(t, data(VALID));
  const client = new Keywright(url, { region: "us-east-1" });
  const variables = { AWS_ACCESS_KEY_ID: "AKID1", AWS_SECRET_ACCESS_KEY: "secret", AWS_SESSION_TOKEN: "session" };

  environment(t, variables);
  await client.verify(KEY);
  t.mock.restoreAll();
  environment(t, { ...variables, AWS_ACCESS_KEY_ID: "AKID2" });
  await client.verify(KEY);

  assert.match(requests[0]?.headers.authorization ?? "", /Credential=AKID1\//);
  assert.match(requests[1]?.headers.authorization ?? "", /Credential=AKID2\//);
  assert.equal(requests[1]?.headers["x-amz-security-token"], "session");
});

test("without credentials no request is sent, and the remedy is named", async (t) => {
  environment(t, { AWS_ACCESS_KEY_ID: "AKID1" });
  const { url, requests } = await serve(t, data(VALID));

  await assert.rejects(new Keywright(url, { region: "us-east-1" }).verify(KEY), {
    name: "ConfigurationError",
    message: 
      "no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or pass credentials, " +
      "such as fromNodeProviderChain() of @aws-sdk/credential-providers",
  });
  assert.deepEqual(requests, []);
});

test("credentials are asked for again five minutes before they expire", async (t) => {
  const clock = clocks(t);
  const { client, used } = await counted(t, (asked) =>
    numbered(asked, Date.parse("2026-01-01T00:00:00Z") + (asked - 1) * HOUR),
  );

  await client.verify(KEY);
  clock.forward(HOUR - 300_001);
  await client.verify(KEY);
  clock.forward(1);
  await client.verify(KEY); // does not wait for the new ones
  await client.verify(KEY);

  assert.deepEqual(used(), ["AKID1", "AKID1", "AKID1", "AKID2"]);
});

test("credentials that never arrive are given up, and asked for again", async (t) => {
  const { url } = await serve(t, data(VALID));
  let asked = 0;
  const credentials = (): AwsCredentials | Promise<AwsCredentials> =>
    ++asked === 1 ? new Promise(() => undefined) : CREDENTIALS;
  const client = new Keywright(url, { region: "us-east-1", credentials, retries: 0, timeoutSeconds: 0.2 });

  await assert.rejects(client.verify(KEY), { name: "ApiConnectionError", message: /did not arrive in time/ });
  assert.equal((await client.verify(KEY)).valid, true);
});

test("a renewal that never ends holds up no call while the credentials work", async (t) => {
  const clock = clocks(t);
  const { client, used } = await counted(t, (asked) => (asked === 1 ? numbered(1) : new Promise(() => undefined)));

  await client.verify(KEY);
  clock.forward(HOUR - 1000);
  await client.verify(KEY);
  await client.verify(KEY);

  assert.deepEqual(used(), ["AKID1", "AKID1", "AKID1"]);
});

test("a region that is not one is named, and nothing is sent", async (t) => {
  const { url, requests } = await serve(t, data(VALID));
  const client = new Keywright(url, { region: "us-east-1\n", credentials: CREDENTIALS });

  await assert.rejects(client.verify(KEY), { name: "ConfigurationError", message: /name of an AWS region/ });
  assert.deepEqual(requests, []);
});

test("credentials without an expiration are asked for each time", async (t) => {
  const { client, used } = await counted(t, (asked) => ({ ...CREDENTIALS, accessKeyId: `AKID${asked}` }));

  await client.verify(KEY);
  await client.verify(KEY);

  assert.deepEqual(used(), ["AKID1", "AKID2"]);
});

test("calls at the same time ask for credentials once", async (t) => {
  clocks(t);
  const { client, asked } = await counted(t, async (count) => numbered(count));

  await Promise.all([client.verify(KEY), client.verify(KEY), client.verify(KEY)]);

  assert.equal(asked(), 1);
});

test("credentials that cannot be renewed are used until they expire", async (t) => {
  pauses(t);
  const clock = clocks(t);
  const failure = new Error("the instance does not answer");
  const { client, used } = await counted(t, (asked) => (asked === 1 ? numbered(1) : Promise.reject(failure)));

  await client.verify(KEY);
  clock.forward(HOUR - 1);
  await client.verify(KEY);
  clock.forward(1);

  await assert.rejects(client.verify(KEY), { name: "ApiConnectionError" });
  assert.deepEqual(used(), ["AKID1", "AKID1"]);
});

test("a function that fails is asked again, as after any failure that passes", async (t) => {
  const taken = pauses(t);
  const { client } = await counted(t, (asked) => (asked === 1 ? Promise.reject(new Error("later")) : numbered(2)));

  assert.equal((await client.verify(KEY)).valid, true);
  assert.deepEqual(taken, [100]);
});

test("calls at the same time ask once for credentials that fail, and all hear of it", async (t) => {
  const { url } = await serve(t, data(VALID));
  let asked = 0;
  const credentials = async (): Promise<AwsCredentials> => {
    asked += 1;
    throw new Error("no answer");
  };
  const client = new Keywright(url, { region: "us-east-1", credentials, retries: 0 });

  const results = await Promise.allSettled([client.verify(KEY), client.verify(KEY), client.verify(KEY)]);

  assert.deepEqual([asked, results.map(({ status }) => status)], [1, ["rejected", "rejected", "rejected"]]);
});

for (const [thrown, shown] of [
  [Object.assign(new Error("of SECRET"), { name: "CredentialsProviderError" }), " (CredentialsProviderError)"],
  [new TypeError("of SECRET", { cause: "SECRET" }), " (TypeError)"],
  [Object.assign(new Error(), { name: "of SECRET" }), ""],
  [{ name: 7 }, ""],
  ["SECRET", ""],
  [undefined, ""],
] as const) {
  test(`of an error of a function only a plain name is shown: ${shown || `none of ${typeof thrown}`}`, async () => {
    const credentials = () => Promise.reject(thrown);
    const client = new Keywright("https://api.example.com/v1", { region: "us-east-1", credentials, retries: 0 });

    const error = await client.verify(KEY).catch((reason: unknown) => reason);

    assert.ok(error instanceof ApiConnectionError);
    assert.deepEqual(
      [error.host, error.message, error.cause],
      ["", `Nothing was sent: the AWS credentials cannot be refreshed${shown}`, undefined],
    );
  });
}

test("a function that throws at once is as one that fails later", async () => {
  const credentials = (): AwsCredentials => {
    throw new Error("at once");
  };
  const client = new Keywright("https://api.example.com/v1", { region: "us-east-1", credentials, retries: 0 });

  await assert.rejects(client.verify(KEY), { name: "ApiConnectionError" });
});

test("an expiration can be a string", async (t) => {
  clocks(t);
  const { client, asked } = await counted(t, () => ({ ...CREDENTIALS, expiration: "2026-01-01T01:00:00Z" }));

  await client.verify(KEY);
  await client.verify(KEY);

  assert.equal(asked(), 1);
});

for (const expiration of ["soon", "", "2026", "2026-13-01T00:00:00Z", 1_767_225_600, null, new Date("soon")]) {
  for (const [kind, wrapped] of [
    ["a function", (credentials: AwsCredentials) => () => credentials],
    ["an object", (credentials: AwsCredentials) => credentials],
  ] as const) {
    test(`an expiration of ${String(expiration) || "no characters"} in ${kind} names itself`, async (t) => {
      const { url, requests } = await serve(t, data(VALID));
      const credentials = wrapped({ ...CREDENTIALS, expiration: expiration as never });

      await assert.rejects(new Keywright(url, { region: "us-east-1", credentials }).verify(KEY), {
        name: "ConfigurationError",
        message: "the expiration of credentials must be a Date or an ISO 8601 string",
      });
      assert.deepEqual(requests, []);
    });
  }
}

test("credentials that are not an object are refused with what they must be", async (t) => {
  const { url } = await serve(t, data(VALID));

  await assert.rejects(new Keywright(url, { region: "us-east-1", credentials: null as never }).verify(KEY), {
    name: "ConfigurationError",
    message: "credentials must be {accessKeyId, secretAccessKey} or a function that returns them",
  });
});

for (const credentials of [() => undefined as never, () => null as never]) {
  test(`a function that returns ${String(credentials())} names itself`, async (t) => {
    const { url } = await serve(t, data(VALID));

    await assert.rejects(new Keywright(url, { region: "us-east-1", credentials }).verify(KEY), {
      name: "ConfigurationError",
      message: "credentials must be {accessKeyId, secretAccessKey} or a function that returns them",
    });
  });
}
